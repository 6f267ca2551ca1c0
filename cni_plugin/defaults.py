"""What an installation may choose when the plugin is built; `build.py` writes its own copy of this module.

The environment variables TKE_ENI_SOCKET, TKE_ENI_PENDING_DELETES, TKE_ENI_TIMEOUT and TKE_ENI_STATUS_PATIENCE
override each of them.
"""

SOCKET = b"/run/tke-eni/ipamd.sock"
"""Unix socket of the agent."""

PENDING_DELETES = b"/var/lib/tke-eni/pending-deletes"
"""Directory of the DELs that the agent could not take."""

TIMEOUT = 55.0
"""Seconds for the whole call, at most 3600; for STATUS never more than 10. Above the agent's --add-timeout,
so that its answer comes first and says why."""

STATUS_PATIENCE = 300.0
"""Seconds for which an empty node is in service though its agent is away."""
