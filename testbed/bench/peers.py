"""The plugins that ours is measured against, on the same node."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed import mounts, processes
from testbed.aws_vpc_cni import AWS_VPC_CNI, DAEMON, PLUGIN
from testbed.bed import Bed
from testbed.bench.latency import Plugin
from testbed.processes import Children
from testbed.runtime import Runtime

PTP = "ptp"
AWS = "aws-vpc-cni"


@contextmanager
def ptp(bed: Bed) -> Iterator[Plugin]:
    """Give Debian's `ptp` with `host-local`."""
    with tempfile.TemporaryDirectory(prefix="host-local-") as state:
        runtime = Runtime(
            node_netns=bed.node.netns,
            plugin=Path("/usr/lib/cni/ptp"),
            configuration={
                "cniVersion": "1.0.0",
                "name": PTP,
                "type": "ptp",
                "ipam": {"type": "host-local", "subnet": "10.200.0.0/16", "dataDir": state},
            },
        )
        try:
            yield Plugin(name=PTP, runtime=runtime)
        finally:
            runtime.close()


@contextmanager
def aws(bed: Bed) -> Iterator[Plugin]:
    """Give the plugin of AWS, configured as it installs itself, with a stub of its daemon.

    The plugin knows one path for its daemon's socket, /var/run/aws-node/ipamd.sock: its processes see
    another /var, in which nothing else is. Raises: MissingProgramError when it is not built.
    """
    plugin, daemon = AWS_VPC_CNI.path(PLUGIN), AWS_VPC_CNI.path(DAEMON)
    logs = bed.directory.absolute() / "aws-vpc-cni"
    with tempfile.TemporaryDirectory(prefix="aws-") as var, Children(logs) as children:
        socket = Path(var, "run/aws-node/ipamd.sock")
        socket.parent.mkdir(parents=True)
        processes.wait_for_file(children.start(DAEMON, [str(daemon), str(socket)]), socket, seconds=10)
        runtime = Runtime(
            node_netns=bed.node.netns,
            plugin=plugin,
            configuration={
                "cniVersion": "1.0.0",
                "name": "aws-cni",
                "type": PLUGIN,
                "mtu": "1500",
                "pluginLogFile": str(logs / "plugin.log"),
                "pluginLogLevel": "DEBUG",
            },
            surroundings=lambda: mounts.show_at(Path(var), Path("/var")),
        )
        try:
            yield Plugin(name=AWS, runtime=runtime)
        finally:
            runtime.close()
