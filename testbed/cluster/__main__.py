"""`make cluster`: run a cluster until a signal comes, and say how to use it.

Writes DIRECTORY/kubeconfig and DIRECTORY/cluster.json; the latter is there as soon as all of it works, and
as long. Exit status: 0 after a signal, 1 when the cluster cannot start.
"""

import argparse
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from simulator import access_files
from testbed.cluster.cluster import Cluster
from testbed.cluster.control import ControlServer
from testbed.cluster.images import Image, ImageError
from testbed.cluster.parts import CONTAINERD_LINES, POLICY_ENGINES, PROXY_MODES, Parts
from testbed.cluster.program import MachineError
from testbed.go_build import MissingProgramError
from testbed.kubernetes import locate
from testbed.processes import ChildFailedError

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


class _Stop(threading.Event):
    """Set by signals. While the cluster starts, a signal also interrupts; what was started is taken down."""

    def __init__(self) -> None:
        super().__init__()
        self.starting = True
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._signalled())

    def _signalled(self) -> None:
        if not self.is_set():
            self.set()
            if self.starting:
                raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a cluster until SIGINT, SIGTERM or SIGHUP."""
    options = _parser().parse_args(arguments)
    stop = _Stop()
    if options.die_with_parent and not _die_with_parent():
        return 0
    try:
        _run(options, stop)
    except KeyboardInterrupt:
        return 0
    except (ChildFailedError, ImageError, MachineError, MissingProgramError) as error:
        print(f"the cluster cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, stop: _Stop) -> None:
    parts = Parts(
        containerd=options.containerd,
        proxy_mode=options.proxy_mode,
        dns=options.dns,
        policies=options.policies,
    )
    with Cluster(options.directory, parts, tell=lambda text: print(text, flush=True)) as cluster:
        only = options.control_plane_only
        access = cluster.start_control_plane() if only else cluster.start(options.image)
        if options.deploy:
            cluster.deploy()
        with ControlServer(cluster.machines) as control:
            stop.starting = False
            access_files.write(cluster.access_file, {**access, "control": f"http://{control.endpoint}"})
            try:
                print(_summary(access["kubeconfig"]), flush=True)
                control.work(stop)
            finally:
                cluster.access_file.unlink(missing_ok=True)
        print("taking the cluster down", flush=True)


def _die_with_parent() -> bool:
    """Ask the kernel for SIGTERM when the parent ends; False if it has ended already."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


def _summary(kubeconfig: str) -> str:
    return (
        f"\nThe cluster is up. Ctrl-C ends it and removes everything.\n\n"
        f"  export KUBECONFIG={kubeconfig}\n"
        f"  alias kubectl={locate('kubectl')}\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbed.cluster", description=__doc__)
    add = parser.add_argument
    add("--directory", type=Path, default=Path("build/cluster"), help="for logs and access files")
    add(
        "--image",
        metavar="NAME=ARCHIVE",
        type=_image,
        action="append",
        default=[],
        help="a docker archive, or an OCI one (*.oci), to be pulled as NAME; may be repeated",
    )
    add("--deploy", action="store_true", help="apply deploy/; its image must be given")
    add(
        "--containerd",
        choices=CONTAINERD_LINES,
        default="1",
        help="major version: Debian's, or the one that `make containerd` builds",
    )
    add("--proxy-mode", choices=PROXY_MODES, default="iptables", help="of kube-proxy")
    add("--dns", action="store_true", help="run CoreDNS (`make coredns`) once tke-eni is deployed")
    add("--policies", choices=POLICY_ENGINES, default="none", help="what enforces NetworkPolicies")
    add("--control-plane-only", action="store_true", help="no nodes, no scheduler")
    add("--die-with-parent", action="store_true", help="end when the process that started it ends")
    return parser


def _image(text: str) -> Image:
    name, _equals, archive = text.partition("=")
    if not name or not Path(archive).exists():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=ARCHIVE with an archive that exists")
    return Image(name=name, archive=Path(archive).absolute())


if __name__ == "__main__":
    sys.exit(main())
