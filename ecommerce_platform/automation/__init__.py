"""What runs by itself: the daily and the weekly job, their schedules, and the sensors that alert."""
