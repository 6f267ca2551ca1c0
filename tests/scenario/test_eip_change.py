"""The EIP of a running Pod is changed in all that can change, while packets go on both ways."""

import contextlib
import functools
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from simulator.fabric import netns as namespaces
from testbed.bed import Bed

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

ATTRIBUTES = "tke.cloud.tencent.com/eip-attributes"
CONFIRM = "networking.tke.cloud.tencent.com/confirm-charge-type"
HOURLY = "BANDWIDTH_POSTPAID_BY_HOUR"
PORT = 7007
PACE = 0.005
"""Seconds between two datagrams."""
WISHES: tuple[Mapping[str, Any], ...] = (
    {"Bandwidth": 50, "AddressName": "shop"},
    {"Bandwidth": 500, "InternetChargeType": "BANDWIDTH_PACKAGE", "BandwidthPackageId": "bwp-demo0001"},
    {"Bandwidth": 500, "InternetChargeType": "BANDWIDTH_PACKAGE", "BandwidthPackageId": "bwp-demo0002"},
    {"Bandwidth": 20},
    {"Bandwidth": 20, "InternetChargeType": HOURLY},
)


class Echo:
    """A UDP server in the Pod that sends everything back; one thread."""

    def __init__(self, netns: str) -> None:
        self._socket = namespaces.run_in(netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._socket.bind(("", PORT))
        self._thread = threading.Thread(target=self._serve, name="echo", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while (datagram := self._socket.recvfrom(64))[0] != b"end":
            self._socket.sendto(*datagram)

    def close(self, address: str) -> None:
        self._socket.sendto(b"end", (address, PORT))
        self._thread.join()
        self._socket.close()


class Numbers:
    """Numbered datagrams from a host of the internet to the EIP, and which of them came back."""

    def __init__(self, bed: Bed, public_ip: str) -> None:
        self._socket = namespaces.run_in(
            bed.internet_netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        )
        self._socket.bind((bed.internet_hosts[0], 0))
        self._socket.settimeout(2.0)
        self._to = (public_ip, PORT)
        self.sent = 0
        self.back: set[int] = set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self._stop.is_set():
            self._socket.sendto(str(self.sent).encode(), self._to)
            self.sent += 1
            time.sleep(PACE)

    def _receive(self) -> None:
        with contextlib.suppress(TimeoutError):  # the last one is long past
            while True:
                self.back.add(int(self._socket.recv(64)))

    def lost(self) -> list[int]:
        """End, and return the numbers that never came back."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()
        return sorted(set(range(self.sent)) - self.back)


@pytest.fixture
def served(bed: Bed) -> Iterator[str]:
    """The private address of a Pod with an EIP that answers."""
    sandbox, outcome = bed.add_pod("web-0", annotations={"eip-attributes": '{"Bandwidth":5}'}, eip=True)
    echo = Echo(sandbox.netns)
    yield outcome.ip()
    echo.close("127.0.0.1")
    bed.delete_pod(sandbox)


def claim(bed: Bed) -> dict[str, Any]:
    return next(c for c in bed.workloads.claims() if c["metadata"]["name"] == "web-0")


def eip(bed: Bed) -> dict[str, Any]:
    addresses = bed.cloud_state()["cloud"]["addresses"]
    found: dict[str, Any] = addresses[claim(bed)["status"]["address"]["id"]]
    return found


def annotate(bed: Bed, path: str, annotations: Mapping[str, str]) -> None:
    body = {"metadata": {"annotations": dict(annotations)}}
    bed.workloads.api.merge_patch(f"{path}/web-0", body)


def is_as_wished(bed: Bed, wish: Mapping[str, Any]) -> bool:
    shown = eip(bed)
    told: dict[str, Any] = next(
        (c for c in claim(bed)["status"]["conditions"] if c["type"] == "UpToDate"), {}
    )
    return (
        shown["bandwidth"] == wish["Bandwidth"]
        and shown["charge_type"] == wish.get("InternetChargeType", "TRAFFIC_POSTPAID_BY_HOUR")
        and shown["bandwidth_package_id"] == wish.get("BandwidthPackageId", "")
        and told.get("status") == "True"
        and "change" not in claim(bed)["status"]
    )


def test_no_packet_is_lost_while_everything_changes_that_can(bed: Bed, served: str):
    before = claim(bed)["status"]
    numbers = Numbers(bed, before["address"]["ip"])
    bed.wait_until("packets flow", lambda: len(numbers.back) > 20)
    for wish in WISHES:
        annotate(bed, "/api/v1/namespaces/default/pods", {ATTRIBUTES: json.dumps(wish)})
        if "InternetChargeType" in wish and "BandwidthPackageId" not in wish:
            claims = "/apis/networking.tke.cloud.tencent.com/v1/namespaces/default/eipclaims"
            annotate(bed, claims, {CONFIRM: HOURLY})
        bed.wait_until(f"the EIP as {wish}", functools.partial(is_as_wished, bed, wish), seconds=60)
    lost = numbers.lost()

    assert lost == []
    assert numbers.sent > 200
    after = claim(bed)["status"]
    assert (after["address"], after["binding"]) == (before["address"], before["binding"])
    assert eip(bed)["status"] == "BIND"
    calls = bed.admin.get("/audit")["calls"]
    assert (calls["AllocateAddresses"], calls["AssociateAddress"]) == (1, 1)
    assert "DisassociateAddress" not in calls
