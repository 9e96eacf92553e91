"""What runs by itself: the daily job and its schedule."""
