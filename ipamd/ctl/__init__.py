"""ipamctl: what an operator types."""
