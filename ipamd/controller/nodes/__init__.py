"""What the controller writes on Nodes: the condition of those without agent, a taint, their configuration."""
