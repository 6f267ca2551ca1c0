"""Pure decisions: no I/O, no threads, no clock; effects are returned as values."""
