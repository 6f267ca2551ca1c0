"""EIPPools: their EIPs ordered and released, and what their status says."""
