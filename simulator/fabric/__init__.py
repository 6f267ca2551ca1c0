"""The VPC: network namespaces, a router with anti-spoofing, EIP NAT and an internet."""
