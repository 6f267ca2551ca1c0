"""What tests of claims look at and do: claims, their EIPs, EIPs of the user's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testbed.cluster.under_test import ClusterUnderTest
from tests.vpc_console import VpcConsole


class Claims:
    """The claims of one namespace, and their EIPs as cloud and internet show them."""

    def __init__(self, cluster: ClusterUnderTest, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def uid(self, name: str) -> str:
        """UID of the claim, empty when there is none."""
        claim = self._cluster.claim(self._namespace, name)
        return str(claim["metadata"]["uid"]) if claim else ""

    def bound(self, name: str, *, seconds: float = 90.0) -> tuple[str, str]:
        """Wait until the claim is bound for the Pod that there is; return id and address of its EIP."""

        def look() -> tuple[str, str] | None:
            claim = self._cluster.claim(self._namespace, name)
            pod = self._cluster.pod(self._namespace, name)
            status = (claim or {}).get("status") or {}
            binding = status.get("binding") or {}
            mine = pod is not None and binding.get("podUID") == pod["metadata"]["uid"]
            if not mine or status.get("phase") != "Bound":
                return None
            return status["address"]["id"], status["address"]["ip"]

        return self._cluster.wait(f"claim {name} is bound", look, seconds=seconds)

    def wait_gone(self, name: str, *, seconds: float = 60.0) -> None:
        """Wait until there is no claim of the name."""
        path = self._cluster.claim_path(self._namespace, name)
        self._cluster.wait_until_gone(path, seconds=seconds)

    def missed(self, name: str) -> None:
        """Wait until the claim notes that its Pod is gone."""
        self._cluster.wait(
            f"claim {name} misses its Pod",
            lambda: (
                (c := self._cluster.claim(self._namespace, name)) is not None
                and "lastSeen" in c["status"].get("pod", {})
            ),
        )

    def says(self, name: str, reason: str) -> str:
        """Wait for an Event of the reason on the Pod or claim of the name; return its message."""
        events = self._cluster.wait(
            f"Event {reason} on {name}",
            lambda: [e for e in self._cluster.events(self._namespace, name) if e["reason"] == reason],
        )
        return str(events[-1]["message"])

    def outside_sees(self, pod: str, address: str) -> None:
        """The proof: what the Pod sends comes from the EIP, and who asks the EIP gets the Pod's answer."""
        seen = self._cluster.internet.source_seen_from(self._namespace, pod)
        assert seen == address, f"a host of the internet sees {seen or 'nothing'}, not {address}"
        answer = self._cluster.internet.get(address, 80)
        assert answer == f"{pod}\n", f"{address} answers {answer!r}, not as {pod}"


def eip(cluster: ClusterUnderTest, eip_id: str) -> dict[str, Any]:
    """The EIP as the cloud has it, empty when it does not exist."""
    return next((e for e in cluster.region.eips() if e["AddressId"] == eip_id), {})


def wait_released(cluster: ClusterUnderTest, eip_id: str) -> None:
    """Wait until the cloud has the EIP no more."""
    cluster.wait(f"{eip_id} is released", lambda: not eip(cluster, eip_id))


@contextmanager
def users_eips(cluster: ClusterUnderTest, number: int, **tags: str) -> Iterator[list[str]]:
    """EIPs that a person has bought; given back at the end."""
    console = VpcConsole(cluster.region.document["cloud"])
    ids = [console.allocate_eip(**tags) for _ in range(number)]
    for eip_id in ids:
        _wait_loose(cluster, eip_id)
    try:
        yield ids
    finally:
        for eip_id in ids:
            _wait_loose(cluster, eip_id)
            console.release_eip(eip_id)


def _wait_loose(cluster: ClusterUnderTest, eip_id: str) -> None:
    cluster.wait(f"{eip_id} is loose", lambda: eip(cluster, eip_id).get("AddressStatus") == "UNBIND")
