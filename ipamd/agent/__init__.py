"""The per-node daemon."""
