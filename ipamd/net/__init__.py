"""The node's data plane: links, routes, rules and nftables."""
