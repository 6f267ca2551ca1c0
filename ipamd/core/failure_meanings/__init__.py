"""What failed calls of the cloud mean for claims, nodes and operators. Pure."""
