"""`make soak`: waves of Pods for some minutes, then a full node; prints what grew, writes build/soak.json."""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from testbed import leaks, table
from testbed.bed import Bed
from testbed.soak import figures, full_node
from testbed.soak.churn import WITH_EIP, WITHOUT, Churn
from testbed.soak.flatness import Series, Verdict, judge

_OUTPUT = Path("build")
REGION = {
    # 64 vCPUs: room for nine Pods with EIP; nine ENIs for 261 Pods, in a subnet that has as many addresses.
    "instance_types": [{"name": "S5.SOAK", "cpu": 64, "memory_gib": 256, "enis": 10, "ips_per_eni": 30}],
    "instances": [{"instance_type": "S5.SOAK", "public_ip": True}],
    "vpc": {"subnets": [{"subnet_id": "subnet-demo0001", "cidr": "10.0.4.0/22"}]},
    "quotas": {"total_eips": 100, "daily_eip_applications": 1_000_000},
    "latencies": {"scale": 0.3},
    "rate_limits": {"enabled": False},
}
_AGENT = ("--ip-cooldown=1s", "--ip-hold=5s", "--repair-interval=5s", "--cloud-check-interval=5s")
_CONTROLLER = ("--sweep-interval=10s",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is looked at after the waves."""

    left: Mapping[str, Sequence[str]]
    full: full_node.Findings


Samples = list[tuple[float, dict[str, float]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the waves; 0 when all figures are flat and nothing is left, else 1."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long (default %(default)s)")
    options = parser.parse_args(arguments)
    progress = table.Progress()
    with Bed(_OUTPUT / "soak") as bed:
        with progress.step("a region with one node, agent and controller"):
            bed.start_region(REGION)
            bed.start_controller(options=_CONTROLLER)
            bed.start_agent(options=_AGENT)
            bed.wait_until_ready()
        before = leaks.kernel_state(bed.node.netns)
        churn = Churn(bed)
        with progress.step(
            f"waves of {WITH_EIP} Pods with EIP and {WITHOUT} without, {options.minutes:g} min"
        ):
            samples = _waves(bed, churn, 60 * options.minutes)
        churn.end()
        left = leaks.left_behind(before, leaks.kernel_state(bed.node.netns))
        with progress.step(f"{full_node.PODS} Pods at a time"):
            full = full_node.visit(bed)
    verdicts = [_verdict(name, samples) for name in figures.ALLOWED]
    return _report(progress, verdicts, Rest(left=left, full=full), churn, samples)


def _waves(bed: Bed, churn: Churn, seconds: float) -> Samples:
    began = time.monotonic()
    samples: Samples = []
    while time.monotonic() - began < seconds:
        churn.wave()
        samples.append((time.monotonic() - began, figures.sample(bed)))
    return samples


def _verdict(name: str, samples: Samples) -> Verdict:
    values = tuple((at, sample[name]) for at, sample in samples)
    return judge(Series(name=name, allowed=figures.ALLOWED[name], samples=values))


def _report(
    progress: table.Progress,
    verdicts: Sequence[Verdict],
    rest: Rest,
    churn: Churn,
    samples: Samples,
) -> int:
    rows = [
        [
            v.name,
            f"{v.start:.1f}",
            f"{v.end:.1f}",
            f"{v.growth:+.2f}",
            f"{v.allowed:g}",
            "✓" if v.flat else "✗",
        ]
        for v in verdicts
    ]
    progress.say()
    progress.say(table.render(["FIGURE", "AT FIRST", "AT LAST", "GROWTH", "ALLOWED", "FLAT"], rows))
    waves = f"{churn.life_cycles} Pods came and went in {len(samples)} waves"
    progress.say(f"\n{waves}; left behind: {dict(rest.left) or 'nothing'}")
    progress.say(
        f"{full_node.PODS} Pods at a time: ADD {rest.full.add_ms} ms, agent {rest.full.rss_mib:.1f} MiB; "
        f"wrong: {', '.join(rest.full.problems) or 'nothing'}"
    )
    path = _OUTPUT / "soak.json"
    path.write_text(json.dumps(_facts(verdicts, rest, churn, samples), indent=2) + "\n")
    progress.say(f"Facts: {path}")
    return 0 if is_good(verdicts, rest) else 1


def is_good(verdicts: Sequence[Verdict], rest: Rest) -> bool:
    """Return whether nothing grew, nothing was left, and the full node did its work."""
    return all(v.flat for v in verdicts) and not rest.left and not rest.full.problems


def _facts(verdicts: Sequence[Verdict], rest: Rest, churn: Churn, samples: Samples) -> dict[str, Any]:
    return {
        "seconds": round(samples[-1][0], 1),
        "waves": len(samples),
        "life_cycles": churn.life_cycles,
        "flat": all(v.flat for v in verdicts),
        "left_behind": dict(rest.left),
        "full_node": {"pods": full_node.PODS, **asdict(rest.full)},
        "samples": [{"at": round(at, 1), **sample} for at, sample in samples],
        "figures": {
            v.name: {
                "start": v.start,
                "end": v.end,
                "growth": round(v.growth, 3),
                "allowed": v.allowed,
                "flat": v.flat,
            }
            for v in verdicts
        },
    }


if __name__ == "__main__":
    sys.exit(main())
