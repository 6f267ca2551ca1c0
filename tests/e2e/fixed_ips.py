"""What tests of fixed private IPs look at and do: VpcIPClaims, the book, the VPC, and the cloud's writes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from testbed.cluster.under_test import ClusterUnderTest

Json = dict[str, Any]


class FixedIps:
    """The VpcIPClaims of one namespace, and what API server and VPC have of their addresses."""

    def __init__(self, cluster: ClusterUnderTest, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def path(self, name: str) -> str:
        group = "/apis/networking.tke.cloud.tencent.com/v1"
        return f"{group}/namespaces/{self._namespace}/vpcipclaims/{name}"

    def claim(self, name: str) -> Json | None:
        return self._cluster.get(self.path(name))

    def book(self, ip: str) -> Json | None:
        """The VpcIP of the address."""
        return self._cluster.get(f"/apis/networking.tke.cloud.tencent.com/v1/vpcips/{ip}")

    def reservation(self, ip: str) -> Json | None:
        """What the VPC keeps of the address, None when anybody may have it."""
        kept = self._cluster.region.admin.get("/state")["cloud"]["reservations"].values()
        return next((one for one in kept if one["ip"] == ip), None)

    def address(self, name: str) -> str:
        """Wait until the Pod runs with the address of its claim, and return that."""
        pod = self._cluster.wait_for_pod(self._namespace, name)
        claim = self.claim(name)
        assert claim is not None, f"there is no VpcIPClaim {name}"
        ip = str(pod["status"]["podIP"])
        assert claim["status"]["address"]["ip"] == ip
        return ip

    def unassigned(self, name: str) -> None:
        """Wait until the address of the claim is at no ENI."""

        def look() -> bool:
            claim = self.claim(name)
            return claim is not None and not claim["status"].get("binding")

        self._cluster.wait(f"the address of {name} is at no ENI", look, seconds=90.0)

    def missed(self, name: str) -> None:
        """Wait until the claim notes that its Pod is gone."""

        def look() -> bool:
            claim = self.claim(name)
            return claim is not None and "lastSeen" in claim["status"].get("pod", {})

        self._cluster.wait(f"claim {name} misses its Pod", look)

    def set_back(self, name: str, passed: timedelta) -> None:
        """Let the Pod of the claim be gone for so long."""
        seen = (datetime.now(UTC) - passed).strftime("%Y-%m-%dT%H:%M:%SZ")
        patch = json.dumps({"status": {"pod": {"lastSeen": seen}}})
        arguments = ("--subresource=status", "--type=merge", f"--patch={patch}")
        self._cluster.kubectl("patch", "vipc", name, f"--namespace={self._namespace}", *arguments)

    def given_back(self, name: str, ip: str) -> None:
        """Wait until nothing keeps the address any more: neither objects nor the VPC."""
        self._cluster.wait_until_gone(self.path(name), seconds=120.0)
        self._cluster.wait(f"VpcIP {ip} is gone", lambda: self.book(ip) is None)
        self._cluster.wait(f"nobody reserves {ip}", lambda: self.reservation(ip) is None)


def reached(cluster: ClusterUnderTest, namespace: str, ip: str, *, by: str) -> str:
    """What the web server at the address answers to another Pod."""
    return cluster.exec(namespace, by, "timeout", "5", "wget", "-q", "-O", "-", f"http://{ip}/")


def writes(cluster: ClusterUnderTest, *needles: str) -> list[str]:
    """The cloud writes about one of these, in order."""
    return [
        str(write["action"])
        for write in cluster.region.admin.get("/audit")["writes"]
        if any(needle in json.dumps(write["params"]) for needle in needles)
    ]
