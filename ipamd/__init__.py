"""tke-eni: per-node agent, cluster controller and operator command."""

__version__ = "0.1.0"
"""The release. setup.cfg and the Makefile read it here; `make release` sets it."""
