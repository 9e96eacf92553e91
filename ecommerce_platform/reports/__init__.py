"""What the platform says about itself: the state of its tables, its database, its checks and its rejected rows."""
