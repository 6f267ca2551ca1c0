"""The cluster's leader: claims, EIP allocation and release."""
