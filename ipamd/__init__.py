"""tke-eni: per-node agent, cluster controller and operator command."""
