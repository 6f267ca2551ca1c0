"""tke-eni: per-node agent, cluster controller and operator command."""

__version__ = "0.1.0"
"""The release; the user agent of requests and the metadata of the package say the same."""
