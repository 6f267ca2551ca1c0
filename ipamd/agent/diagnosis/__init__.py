"""What the agent finds out about its Pods and its node when an operator asks; nothing is changed here."""
