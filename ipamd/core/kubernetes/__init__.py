"""Kubernetes objects as far as they matter here. Pure."""
