"""`make scale`: a large cluster on one account; prints what was measured, writes build/scale.json."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed import table
from testbed.processes import Children
from testbed.scale import aims, provisioning, report
from testbed.scale.controller import Controller
from testbed.scale.fleet import Fleet
from testbed.scale.surroundings import Size, Surroundings

_OUTPUT = Path("build")


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """What was measured of the real controller."""

    ready_s: float
    rss_mib: float
    new: provisioning.Wave
    deleted: provisioning.Wave
    idle_requests: float
    """To the API server, in a second in which nothing happens."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything once; 0 when all figures are as they should be, else 1."""
    parser = argparse.ArgumentParser(prog="make scale", description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000, help="default %(default)s")
    parser.add_argument("--pods", type=int, default=50000, help="default %(default)s")
    parser.add_argument("--eips", type=int, default=5000, help="of the Pods have one (default %(default)s)")
    options = parser.parse_args(arguments)
    progress = table.Progress()
    fleets = [_virtual(progress, nodes) for nodes in sorted({max(1, options.nodes // 5), options.nodes})]
    real = _measure(progress, Size(nodes=options.nodes, pods=options.pods, eips=options.eips))
    figures = report.figures(real_figures(real), fleets)
    path = _OUTPUT / "scale.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    progress.say()
    progress.say(table.render(["KEY", "FIGURE", "VALUE", "UNIT", "AIM", ""], aims.rows(figures)))
    progress.say()
    progress.say(table.render(*report.fleet_table(fleets)))
    missed = aims.missed(figures)
    progress.say(f"\nFacts: {path}" + (f"; missed: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


def real_figures(real: Real) -> dict[str, float]:
    """Return the figures that the real controller gives, by key."""
    return {
        "ready_s": real.ready_s,
        "controller_rss_mib": real.rss_mib,
        "claim_to_eip_p50_s": aims.quantile(real.new.seconds, 0.5),
        "claim_to_eip_p99_s": aims.quantile(real.new.seconds, 0.99),
        "release_p99_s": aims.quantile(real.deleted.seconds, 0.99),
        "describe_per_eip": max(real.new.describes_per_pod(), real.deleted.describes_per_pod()),
        "kube_requests_per_s": real.idle_requests,
    }


def _virtual(progress: table.Progress, nodes: int) -> Fleet:
    with progress.step(f"{nodes} agents in virtual time"):
        return Fleet.measure(nodes)


def _measure(progress: table.Progress, size: Size) -> Real:
    directory = _OUTPUT / "scale"
    with Surroundings(size) as around, Children(directory / "logs") as children:
        with progress.step(f"a cluster of {size.nodes} nodes, {size.pods} Pods, {size.eips} EIPs"):
            around.fill()
        controller = Controller(children, around, directory)
        with progress.step("the controller is ready"):
            ready = controller.wait_ready()
        progress.say(f"    it has used {controller.cpu_seconds():.1f} s of a processor for that")
        with progress.step("its first pass over all EIPs has ended"):
            provisioning.wait_swept(around)
        with progress.step("nothing happens"):
            idle = provisioning.idle_rate(around)
        with progress.step(f"{aims.NEW_PODS} new Pods have their EIPs"):
            new = provisioning.create(around)
        with progress.step(f"{aims.DELETED_PODS} deleted Pods have given theirs back"):
            deleted = provisioning.delete(around)
        return Real(
            ready_s=ready, rss_mib=controller.peak_mib(), new=new, deleted=deleted, idle_requests=idle
        )


if __name__ == "__main__":
    sys.exit(main())
