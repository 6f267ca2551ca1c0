"""`kubectl eni`: what an operator types about the whole cluster."""
