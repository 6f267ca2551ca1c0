"""EIPs on the cloud: how ours are known, where they are to be bound, who leaves by them. Pure."""
