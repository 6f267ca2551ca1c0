"""The runtime's network configuration on the node, and the plugins it names."""
