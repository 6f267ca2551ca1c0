"""Where the parts find each other and the outside, unless a flag says otherwise. Pure."""

from typing import Final

SOCKET: Final = "/run/tke-eni/ipamd.sock"
"""Of the agent; the plugin has its own copy of these paths, and a test that compares them."""
STATE_DIRECTORY: Final = "/var/lib/tke-eni"
PENDING_DELETES: Final = f"{STATE_DIRECTORY}/pending-deletes"
CNI_BINARIES: Final = "/opt/cni/bin"
CNI_CONFIGURATIONS: Final = "/etc/cni/net.d"
NETWORK_CONFIGURATION: Final = "10-tke-eni.conflist"
"""As deploy/daemonset.yaml names it there."""
PLUGIN_TREES: Final = "/opt/tke-eni"
"""Where earlier releases have put the interpreter of their plugin."""
METADATA_URL: Final = "http://metadata.tencentyun.com"
"""Of the CVM metadata service."""
