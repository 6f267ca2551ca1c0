"""What is written of a run: the figures by key, and the table of the fleets. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ipamd.cloud.throttling import ALLOWANCE
from ipamd.controller.main import ORDER_SHARE
from testbed.scale import aims
from testbed.scale.fleet import Fleet
from testbed.scale.virtual import rest


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One line of what all agents together ask and get."""

    meaning: str
    value: Callable[[Fleet], float]


FLEET_ROWS = (
    FleetRow(f"{rest.LOOK} a second at rest (limit {ALLOWANCE[rest.LOOK]:g})", lambda f: f.rest.looks_per_s),
    FleetRow("refused of them, a second", lambda f: f.rest.refused_per_s),
    FleetRow("seconds between two looks of a node, mean", lambda f: f.rest.interval),
    FleetRow("seconds between two looks of a node, longest", lambda f: f.rest.longest),
    FleetRow("API server at rest: requests of the agents a second", lambda f: f.rest.watches_per_s),
    FleetRow("rollout: seconds until all addresses are given", lambda f: max(f.rollout.addresses)),
    FleetRow("rollout: seconds until all EIPs are ordered", lambda f: max(f.rollout.provisioned)),
    FleetRow("rollout: seconds until all EIPs are bound", lambda f: max(f.rollout.bound)),
    FleetRow("rollout: calls of the account a second", lambda f: f.rollout.calls_per_s),
    FleetRow("refused of them, a second", lambda f: f.rollout.refused_per_s),
    FleetRow("rollout: requests of the API server a second", lambda f: f.rollout.requests_per_s),
    FleetRow("rollout: seconds of a bind, median", lambda f: aims.quantile(f.rollout.binds, 0.5)),
    FleetRow("rollout: seconds of a bind, slowest node", lambda f: max(f.rollout.binds)),
    FleetRow("seconds of a bind on a quiet day, p99", lambda f: aims.quantile(f.alone, 0.99)),
    FleetRow("the same beside a node that binds without end", lambda f: aims.quantile(f.crowded, 0.99)),
)
_WALLS = {
    "AllocateAddresses": "AllocateAddresses: {rate:g} orders a second for the account, {ours:g} of them ours",
    "AssociateAddress": "AssociateAddress: {rate:g} binds a second for the account",
}


def figures(real: Mapping[str, float], fleets: Sequence[Fleet]) -> dict[str, float | str]:
    """Return the value of every key; those of many agents are of the largest fleet."""
    fleet = fleets[-1]
    values: dict[str, float | str] = {
        **real,
        "kube_requests_per_s": real["kube_requests_per_s"] + fleet.rest.watches_per_s,
        "mass_rollout_s": fleet.rollout.seconds,
        "first_wall": wall(fleets[0]),
    }
    return {
        figure.key: value if isinstance(value := values[figure.key], str) else round(value, 3)
        for figure in aims.FIGURES
    }


def wall(fleet: Fleet) -> str:
    """Return in words what runs out first."""
    name = fleet.rollout.wall
    rate = ALLOWANCE.get(name, 0.0)
    return _WALLS.get(name, name).format(rate=rate, ours=rate * ORDER_SHARE)


def fleet_table(fleets: Sequence[Fleet]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of what all agents together ask and get, a column for each fleet."""
    head = ["ALL AGENTS TOGETHER", *(f"{fleet.rest.nodes} NODES" for fleet in fleets)]
    return head, [[row.meaning, *(f"{row.value(fleet):.1f}" for fleet in fleets)] for row in FLEET_ROWS]
