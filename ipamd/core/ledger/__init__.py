"""What the node has promised: its addresses, whose they are, and how that may change. Pure."""
