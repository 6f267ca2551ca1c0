"""The plugins that ours is measured against, on the same node."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from testbed import mounts, processes
from testbed.aws_vpc_cni import (
    AWS_VPC_CNI,
    AWS_VPC_CNI_BEFORE,
    DAEMON,
    PLUGIN,
)
from testbed.bed import Bed
from testbed.bench.latency import Plugin
from testbed.processes import Children
from testbed.runtime import Runtime

PTP = "ptp"
AWS_BEFORE = AWS_VPC_CNI_BEFORE.title
AWS_NEWEST = AWS_VPC_CNI.title

_AWS_CONFIGURATION = {
    "cniVersion": "1.0.0",
    "name": "aws-cni",
    "type": "aws-cni",
    "vethPrefix": "eni",
    "mtu": "1500",
    "podSGEnforcingMode": "strict",
    "pluginLogLevel": "DEBUG",
}
"""What its DaemonSet writes (misc/10-aws.conflist of its sources), with the MTU of the node."""


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
def aws(bed: Bed) -> Iterator[list[Plugin]]:
    """Give both releases of the plugin of AWS, with a stub of their daemon.

    The newest knows one path for the daemon's socket, /var/run/aws-node/ipamd.sock: its processes see
    another /var, in which nothing else is. Raises: MissingProgramError when they are not built.
    """
    programs = {AWS_BEFORE: AWS_VPC_CNI_BEFORE.path(PLUGIN), AWS_NEWEST: AWS_VPC_CNI.path(PLUGIN)}
    daemon = AWS_VPC_CNI.path(DAEMON)
    logs = bed.directory.absolute() / "aws-vpc-cni"
    with tempfile.TemporaryDirectory(prefix="aws-") as var, Children(logs) as children:
        socket = Path(var, "run/aws-node/ipamd.sock")
        socket.parent.mkdir(parents=True)
        command = ["nsenter", f"--net=/run/netns/{bed.node.netns}", str(daemon), str(socket)]
        processes.wait_for_file(children.start(DAEMON, command), socket, seconds=10)
        with ExitStack() as stack:
            plugins = []
            for name, program in programs.items():
                runtime = Runtime(
                    node_netns=bed.node.netns,
                    plugin=program,
                    configuration={**_AWS_CONFIGURATION, "pluginLogFile": str(logs / "plugin.log")},
                    surroundings=lambda: mounts.show_at(Path(var), Path("/var")),
                )
                stack.callback(runtime.close)
                plugins.append(Plugin(name=name, runtime=runtime))
            yield plugins
