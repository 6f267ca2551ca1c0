"""What the agent must remember over a restart: sqlite on the node."""
