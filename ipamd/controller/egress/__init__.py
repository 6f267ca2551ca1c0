"""Whether bound EIPs are really the way out: the condition EgressThroughEIP."""
