"""What must not grow: of both processes, the node's kernel, store, cluster and cloud; seen from outside."""

from collections.abc import Mapping
from pathlib import Path

from testbed import leaks
from testbed.bed import Bed
from testbed.processes import Child

ALLOWED: Mapping[str, float] = {
    # CPython gives memory back late. More minutes find a smaller leak for each Pod.
    "agent RSS MiB": 2.0,
    "agent descriptors": 2,
    "agent threads": 2,
    "controller RSS MiB": 2.0,
    "controller descriptors": 2,
    "controller threads": 2,
    "links": 0,
    "rules": 0,
    "routes": 0,
    "neighbours": 0,
    "nft": 0,
    "store KiB": 64,
    "queued DELs": 0,
    "EIPClaims": 0,
    "EIPs": 0,
    "sandboxes' addresses": 0,
}
"""By how much each may grow in the time that is judged."""


def sample(bed: Bed) -> dict[str, float]:
    """Return all figures as they are between two waves."""
    assert bed.agent is not None
    assert bed.controller is not None
    kernel = leaks.kernel_state(bed.node.netns)
    return {
        **_process("agent", _daemon(bed.agent)),
        **_process("controller", _daemon(bed.controller)),
        **{kind: len(facts) for kind, facts in kernel.items()},
        # The write-ahead log is used anew from its beginning and bounded by sqlite; the store is not.
        "store KiB": (bed.state_dir / "ipamd.db").stat().st_size / 1024,
        "queued DELs": len(list(bed.pending_deletes.glob("*.del"))) if bed.pending_deletes.exists() else 0,
        "EIPClaims": len(bed.workloads.claims()),
        "EIPs": orders(bed),
        "sandboxes' addresses": int(bed.status()["pool"]["inUse"]),
    }


def orders(bed: Bed) -> int:
    """Return how many EIPs the cloud has that were ordered for a claim."""
    return sum("tke-eipclaim-uid" in eip["Tags"] for eip in bed.cloud_state()["eips"])


def _daemon(child: Child) -> Path:
    return Path(f"/proc/{child.pid}")


def _process(name: str, proc: Path) -> dict[str, float]:
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return {
        f"{name} RSS MiB": int(status["VmRSS"].split()[0]) / 1024,
        f"{name} descriptors": len(list((proc / "fd").iterdir())),
        f"{name} threads": int(status["Threads"]),
    }
