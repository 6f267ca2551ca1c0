"""Fixed private addresses: VpcIPClaim and VpcIP, and what is to be done about them next. Pure."""
