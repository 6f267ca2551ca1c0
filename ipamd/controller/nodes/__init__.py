"""What the controller writes on Nodes: the condition of those whose agent is gone, and a taint."""
