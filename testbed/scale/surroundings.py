"""One simulated account with the real rates and one API server, in this process, filled with a large cluster.

The cluster is put into the stores as it is, without the requests that would have made it.
"""

import contextlib
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

from simulator.cloud import CloudRegion, CloudServer, RegionConfig, loopback_socket
from simulator.cloud.config import Quotas, SubnetConfig, VpcConfig
from simulator.cloud.state.resources import (
    Address,
    CvmInstance,
    EipStatus,
    EniState,
    IpState,
    NetworkInterface,
    PrivateIp,
)
from simulator.cloud.state.world import World
from simulator.kube import KubeServer, Store, listen
from simulator.kube.storage import Key
from testbed.scale import load
from testbed.scale.load import NAMESPACE, Place

_ZONE = "ap-guangzhou-3"
_CIDR = "10.0.0.0/12"
_CLAIMS = "eipclaims.networking.tke.cloud.tencent.com"
_PLACES_OF_AN_ENI = 7
_AGE = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the cluster is."""

    nodes: int
    pods: int
    eips: int
    """Pods of those that have one, spread over the nodes."""


class Surroundings:
    """Where the controller finds account and cluster. For one thread; those of the servers are their own."""

    def __init__(self, size: Size) -> None:
        """Take the size; `__enter__` serves it, empty, and `fill` makes it."""
        self.size = size
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        quotas = Quotas(total_eips=10**6, daily_eip_applications=10**6, enis_per_vpc=10**6)
        vpc = VpcConfig(cidr=_CIDR, subnets=(SubnetConfig(cidr=_CIDR),))
        self._region = self._stack.enter_context(CloudRegion(RegionConfig(quotas=quotas, vpc=vpc)))
        cloud = self._stack.enter_context(CloudServer(self._region, [loopback_socket()]))
        self._kube = self._stack.enter_context(KubeServer(Store(), [listen()]))
        # No owner goes here, and a pass of the collector over 60,000 objects keeps all requests waiting.
        self._kube.collector.stop()
        self.cloud_url = f"http://{cloud.endpoint}"
        self.kube_url = self._kube.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def fill(self) -> None:
        """Put the cluster there."""
        now = time.time()
        places = [Place(number) for number in range(self.size.nodes)]
        for place in places:
            self._put("nodes", "", load.node(place))
        for place in places:
            self._region.read(partial(_boot, place=place, now=now))
        for number in range(self.size.eips):
            name, place = self.resident(number)
            index = 1 + number // self.size.nodes % _PLACES_OF_AN_ENI
            eip = _eip(number, name, place, index, now)
            self._region.read(partial(_own, eip=eip))
            pod = load.pod(name, place, eip=True)
            self._put("pods", NAMESPACE, pod)
            claim = load.bound_claim(pod, place, eip_id=eip.address_id, ip=eip.ip, index=index, now=now)
            self._put(_CLAIMS, NAMESPACE, claim)
        for number in range(self.size.pods - self.size.eips):
            self._put("pods", NAMESPACE, load.pod(f"other-{number}", places[number % len(places)], eip=False))

    def create_pod(self, name: str, place: Place) -> None:
        """Let a Pod with EIP be scheduled there."""
        self._put("pods", NAMESPACE, load.pod(name, place, eip=True))

    def remove_pod(self, name: str) -> None:
        """Let a Pod be gone."""
        self._kube.store.remove(Key("pods", NAMESPACE, name))

    def claim(self, name: str) -> dict[str, Any] | None:
        """Return the claim as it is stored."""
        return self._kube.store.get(Key(_CLAIMS, NAMESPACE, name))

    def resident(self, number: int) -> tuple[str, Place]:
        """Return name and place of one of the Pods that have an EIP from the beginning."""
        return f"resident-{number}", Place(number % self.size.nodes)

    def cloud_calls(self) -> Counter[str]:
        """Count what was asked of the account, by action."""
        return Counter(self._region.audit.calls())

    def kube_requests(self, component: str) -> int:
        """Count what a component has asked of the API server."""
        return self._kube.traffic.count(user_agent=component)

    def _put(self, resource: str, namespace: str, obj: dict[str, Any]) -> None:
        self._kube.store.put(Key(resource, namespace, obj["metadata"]["name"]), obj)


def _own(world: World, eip: Address) -> None:
    world.addresses[eip.address_id] = eip


def _boot(world: World, place: Place, now: float) -> None:
    """Let the CVM of a node run, with one ENI."""
    vpc = world.config.vpc
    world.instances[place.instance_id] = CvmInstance(
        instance_id=place.instance_id,
        name=place.node,
        instance_type="S5.4XLARGE32",
        zone=_ZONE,
        vpc_id=vpc.vpc_id,
        subnet_id=vpc.subnets[0].subnet_id,
        uuid=place.node,
        created=now - _AGE,
        cam_role="",
    )
    addresses = [
        PrivateIp(ip=place.ip(index), primary=index == 0, state=IpState.AVAILABLE)
        for index in range(_PLACES_OF_AN_ENI + 1)
    ]
    world.enis[place.eni_id] = NetworkInterface(
        eni_id=place.eni_id,
        name=place.node,
        vpc_id=vpc.vpc_id,
        subnet_id=vpc.subnets[0].subnet_id,
        zone=_ZONE,
        mac=world.new_mac(),
        created=now - _AGE,
        state=EniState.AVAILABLE,
        addresses={address.ip: address for address in addresses},
        instance_id=place.instance_id,
        device_index=1,
    )


def _eip(number: int, name: str, place: Place, index: int, now: float) -> Address:
    return Address(
        address_id=f"eip-{number:08d}",
        ip=f"100.{64 + number // 65536}.{number // 256 % 256}.{number % 256}",
        isp="BGP",
        tags=load.eip_tags(name),
        status=EipStatus.BIND,
        created=now - _AGE + number * 0.001,
        eni_id=place.eni_id,
        private_ip=place.ip(index),
    )
