"""EIPs of this node's Pods: bound, unbound, waited for and published as the claims want it."""
