"""The rules of each kind: what the API server defaults, protects, validates and selects by."""
