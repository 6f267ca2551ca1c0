"""What is wrong with this node, gathered from all that the agent knows: what `ipamctl check` tells."""
