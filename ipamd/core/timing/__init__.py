"""When, how often and for how long: arithmetic on a given time. Pure."""
