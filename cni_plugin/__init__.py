"""CNI plugin tke-route-eni: a thin shim between the container runtime and the node agent."""
