"""`python -m simulator`: start a region, say where everything is, run until told to stop.

Ends on SIGINT, SIGTERM and SIGHUP, and with --die-with-parent when its parent does, and removes all that it
made. Exit status: 0 after a signal, 1 when the region cannot start, 2 for wrong arguments.
"""

import argparse
import contextlib
import ctypes
import dataclasses
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator import access_files, summary
from simulator.admin import AdminServer
from simulator.cloud import InstanceOrder, RegionConfig, loopback_socket, region_config
from simulator.cloud.config import ConfigError
from simulator.cloud.fleet import FleetError
from simulator.fabric.api import FabricError
from simulator.region import Ports, SimulatedRegion

DEFAULT_INSTANCES = "S5.2XLARGE16"
PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""

DESCRIPTION = """\
A Tencent Cloud region on this machine: the cloud API (vpc and cvm, API v3, signatures checked), the
metadata service, a VPC made of network namespaces in which EIPs, NAT gateways and anti-spoofing work on real
packets, an internet to talk to, and a small Kubernetes API. Unmodified SDKs, tccli and kubectl are clients.

CVMs are network namespaces: `ip netns exec <netns> <command>` runs something on one. The machine's own
network is not touched, and everything is removed at the end (the next run clears up after a killed one).
"""

EPILOG = """\
examples:
  python -m simulator                               one CVM, free ports; needs root
  python -m simulator --no-fabric --cloud-port 8000 the APIs only, as any user
  python -m simulator --config region.json          subnets, quotas, latencies, CAM users
  python -m simulator --instances S5.LARGE8,S5.LARGE8 --seed 1 --kubeconfig /tmp/region.kubeconfig

how to point the SDKs, tccli and kubectl at it: simulator/README.md

the config file is a JSON object with any fields of RegionConfig (simulator/cloud/config.py), for example
  {"quotas": {"total_eips": 3}, "latencies": {"scale": 10}, "instances": [{"instance_type": "S5.LARGE8"}]}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a region until a signal comes."""
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    stop = _stop_on_signals()
    if options.die_with_parent and not _die_with_parent():
        return 0
    try:
        config = _config(options)
    except (ConfigError, OSError, ValueError) as e:
        print(f"simulator: {options.config or '--instances'}: {e}", file=sys.stderr)
        return 2
    try:
        return _run(config, options, stop)
    except (FabricError, FleetError, OSError) as e:
        print(f"simulator: the region cannot start: {e}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of the flags."""
    made = argparse.ArgumentParser(
        prog="python -m simulator",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--config", metavar="FILE", type=Path, help="JSON description of the region (default: built in)")
    add(
        "--instances",
        metavar="TYPES",
        help="CVMs to boot, comma-separated types, each with an ordinary public IP "
        f"(default: {DEFAULT_INSTANCES}, or what the config lists)",
    )
    add(
        "--cloud-port", metavar="N", type=int, default=0, help="loopback port of the cloud API (default: any)"
    )
    add(
        "--kube-port",
        metavar="N",
        type=int,
        default=0,
        help="loopback port of the Kubernetes API (default: any)",
    )
    add(
        "--admin-port", metavar="N", type=int, default=0, help="loopback port of the admin API (default: any)"
    )
    add("--no-fabric", action="store_true", help="APIs only: no namespaces, no packets, no root")
    add(
        "--seed", metavar="N", type=int, help="the same ids and the same faults in each run (default: random)"
    )
    add("--ready-file", metavar="FILE", type=Path, help="write where everything is, as JSON, once it works")
    add("--kubeconfig", metavar="FILE", type=Path, help="write a kubeconfig for the Kubernetes API")
    add("--die-with-parent", action="store_true", help="end when the process that started it ends")
    add("--verbose", action="store_true", help="log every request to standard error")
    return made


def _config(options: argparse.Namespace) -> RegionConfig:
    document = json.loads(options.config.read_text(encoding="utf-8")) if options.config else {}
    config = region_config(document)
    if options.seed is not None:
        config = dataclasses.replace(config, seed=options.seed)
    types = options.instances if options.instances is not None else DEFAULT_INSTANCES
    if options.instances is None and "instances" in document:
        return config
    orders = [InstanceOrder(instance_type=name.strip(), public_ip=True) for name in types.split(",") if name]
    return dataclasses.replace(config, instances=(*config.instances, *orders))


def _run(config: RegionConfig, options: argparse.Namespace, stop: threading.Event) -> int:
    ports = Ports(cloud=options.cloud_port, kube=options.kube_port)
    with contextlib.ExitStack() as stack:
        region = stack.enter_context(
            SimulatedRegion(config, packets=not options.no_fabric, ports=ports, seed=options.seed or 0)
        )
        admin = stack.enter_context(AdminServer(region, [loopback_socket(options.admin_port)]))
        document: dict[str, Any] = {**region.describe(), "admin": f"http://{admin.endpoint}"}
        print(summary.text(document), flush=True)
        if options.kubeconfig:
            access_files.write(options.kubeconfig, access_files.kubeconfig(document["kube"]))
            stack.callback(options.kubeconfig.unlink, missing_ok=True)
        if options.ready_file:
            access_files.write(options.ready_file, document)
            stack.callback(options.ready_file.unlink, missing_ok=True)
        stop.wait()
        print("simulator: stopping", flush=True)
    return 0


def _stop_on_signals() -> threading.Event:
    """Let signals set an event instead of raising, so that no clean-up is interrupted by the next one."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup has it ignored, and so it stays.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop


def _die_with_parent() -> bool:
    """Ask the kernel for SIGTERM when the parent ends; False if it has ended already."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


if __name__ == "__main__":
    sys.exit(main())
