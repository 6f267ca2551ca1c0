"""Passes over all claims and EIPs: what the work on single claims cannot see."""
