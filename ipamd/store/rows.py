"""An address as rows of the tables `addresses`, `leases` and `fixed_addresses`, and back.

Who owns, holds or occupies the address stands in its lease, which claim a fixed one belongs to in a table of
its own, which an earlier release does not read; everything else in the address. A row that does
not make a valid address raises ValueError: the file was not written by us, or it is damaged. Times belong to
the boot that the fact `boot_id` names; `ipamd.core.ledger.restart` judges them when they are read again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from ipamd.core import model
from ipamd.core.ledger import states
from ipamd.core.timing.boottime import Boottime

Row = dict[str, Any]

ADDRESS_COLUMNS: Final = (
    "ip", "eni_id", "state", "since", "until", "added_at", "missing_since",
    "eip_id", "public_ip", "eip_stage", "claim", "retained",
)  # fmt: skip
LEASE_COLUMNS: Final = (
    "ip", "network", "container_id", "ifname", "namespace", "name", "uid", "netns", "by_name",
    "host_interface", "host_mac", "awaits_eip",
)  # fmt: skip

_FREE: dict[str, type] = {
    "warm": states.Warm,
    "unbinding": states.Unbinding,
    "unassigning": states.Unassigning,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The row of an address, and of its lease if somebody has it."""

    address: Row
    lease: Row | None
    claim_uid: str
    """Of the VpcIPClaim that it belongs to; empty for none."""


def encode(address: states.Address) -> Rows:
    """Return the rows that stand for the address."""
    state = address.state
    row: Row = {
        "ip": address.ip,
        "eni_id": address.eni_id,
        "state": type(state).__name__.lower(),
        "since": getattr(state, "since", None),
        "until": getattr(state, "until", None),
        "added_at": address.added_at,
        "missing_since": address.missing_since,
        "eip_id": None,
        "public_ip": None,
        "eip_stage": None,
        "claim": None,
        "retained": None,
    }
    if address.eip is not None:
        row["eip_id"] = address.eip.eip_id
        row["public_ip"] = address.eip.public_ip
        row["eip_stage"] = address.eip.stage.value
        row["claim"] = address.eip.claim
        row["retained"] = int(address.eip.retained)
    return Rows(address=row, lease=_encode_lease(address.ip, state), claim_uid=address.fixed)


def decode(
    row: Row, lease: Row | None, exclusive_enis: Collection[str] = (), claim_uid: str = ""
) -> states.Address:
    """Return the address that the rows stand for; ValueError when they stand for none.

    Which ENIs are exclusive and which addresses fixed is not told by the row: a release before must be able
    to read it. Such a release may have let a fixed address become warm: it waits for its claim again.
    """
    try:
        state = _decode_state(row, lease)
        if claim_uid and isinstance(state, states.Warm):
            state = states.Cooling(until=state.since)
        address = states.Address(
            ip=row["ip"],
            eni_id=row["eni_id"],
            state=state,
            fixed=claim_uid,
            added_at=_instant(row["added_at"]),
            missing_since=None if row["missing_since"] is None else _instant(row["missing_since"]),
            eip=_decode_eip(row),
            exclusive=row["eni_id"] in exclusive_enis,
        )
        states.check(address)
    except (KeyError, TypeError, states.IllegalMoveError) as e:
        raise ValueError(f"row of address {row.get('ip')!r} is not valid: {e}") from e
    return address


def _encode_lease(ip: str, state: states.State) -> Row | None:
    if not isinstance(state, states.Assigned | states.Held | states.Occupied):
        return None
    lease: Row = {
        "ip": ip,
        "network": None,
        "container_id": None,
        "ifname": None,
        "namespace": state.pod.namespace if state.pod else None,
        "name": state.pod.name if state.pod else None,
        "uid": state.pod.uid if state.pod else None,
        "netns": state.netns if isinstance(state, states.Assigned) else None,
        "by_name": int(state.by_name) if isinstance(state, states.Held) else None,
        "host_interface": None if isinstance(state, states.Held) else state.host_interface,
        "host_mac": None if isinstance(state, states.Held) else state.host_mac,
        "awaits_eip": int(state.awaits_eip) if isinstance(state, states.Assigned) else None,
    }
    if isinstance(state, states.Assigned):
        lease["network"] = state.network
    if not isinstance(state, states.Occupied):
        lease["container_id"] = state.key.container_id
        lease["ifname"] = state.key.ifname
    return lease


def _decode_state(row: Row, lease: Row | None) -> states.State:
    name = row["state"]
    if name in _FREE and lease is None:
        state: states.State = _FREE[name](since=_instant(row["since"]))
        return state
    if name == "cooling" and lease is None:
        return states.Cooling(until=_instant(row["until"]))
    if lease is None:
        raise KeyError(f"a lease for state {name!r}")
    pod = _decode_pod(lease)
    if name == "occupied":
        return states.Occupied(
            host_interface=_text(lease["host_interface"]),
            host_mac=_text(lease["host_mac"]),
            pod=pod,
            since=_instant(row["since"]),
        )
    if pod is None:
        raise KeyError(f"a Pod for state {name!r}")
    key = model.SandboxKey(container_id=_text(lease["container_id"]), ifname=_text(lease["ifname"]))
    if name == "assigned":
        return states.Assigned(
            key=key,
            pod=pod,
            since=_instant(row["since"]),
            host_interface=_text(lease["host_interface"]),
            host_mac=_text(lease["host_mac"]),
            network=_text(lease["network"]),
            netns=_text(lease["netns"]),
            awaits_eip=bool(lease["awaits_eip"]),
        )
    if name == "held":
        by_name = bool(lease["by_name"])
        return states.Held(key=key, pod=pod, until=_instant(row["until"]), by_name=by_name)
    raise KeyError(f"a meaning for state {name!r}")


def _decode_pod(lease: Row) -> model.PodRef | None:
    if lease["name"] is None:
        return None
    return model.PodRef(
        namespace=_text(lease["namespace"]), name=_text(lease["name"]), uid=_text(lease["uid"])
    )


def _decode_eip(row: Row) -> states.Binding | None:
    if row["eip_id"] is None:
        return None
    return states.Binding(
        eip_id=row["eip_id"],
        public_ip=_text(row["public_ip"]),
        stage=states.BindStage(row["eip_stage"]),
        claim=_text(row["claim"]),
        retained=bool(row["retained"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} in the place of a text")
    return value


def _instant(value: object) -> Boottime:
    if not isinstance(value, float):
        raise TypeError(f"{value!r} in the place of a time")
    return Boottime(value)
