"""CNI plugin tke-route-eni: a thin shim between the container runtime and the node agent.

Every module here except `build` runs inside a process that lives for a few milliseconds, once for each
CNI verb. They import what `linked.c` links and nothing else: no `json`, `socket`, `os`, `typing` or
`dataclasses`, each of which would double the process (docs/shim.md has figures).
"""
