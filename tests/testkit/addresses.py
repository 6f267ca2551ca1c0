"""Addresses of the ledger for tests that need a whole one and look at a part of it."""

from typing import Any

from ipamd.core.ledger.states import Address, Assigned
from ipamd.core.model import SandboxKey
from ipamd.core.timing.boottime import Boottime
from tests.testkit.pods import pod_ref


def assigned(**changes: Any) -> Assigned:
    """Return the state of an address that Pod `default/web-0` has."""
    whole: dict[str, Any] = {
        "key": SandboxKey(container_id="c1", ifname="eth0"),
        "pod": pod_ref(),
        "since": Boottime(1.0),
        "host_interface": "veth",
        "host_mac": "0a:e2:00:00:00:01",
    }
    return Assigned(**{**whole, **changes})


def of_pod(ip: str, **changes: Any) -> Address:
    """Return an address of `eni-1` that the Pod has."""
    return Address(**{"ip": ip, "eni_id": "eni-1", "state": assigned(), "added_at": 0.0, **changes})
