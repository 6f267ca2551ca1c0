"""What a single node, or a group of nodes, is to do otherwise than the flags of its agent say. Pure."""
