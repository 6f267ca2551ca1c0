"""Fixed private addresses of this node's Pods: assigned, held and given back as their VpcIPClaims want it."""
