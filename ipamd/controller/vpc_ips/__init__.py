"""Fixed private addresses: VpcIPClaims made from Pods, addresses reserved and given back."""
