"""What ADD, DEL and repair share about a Pod: where it is read, how it is wired, how it goes."""
