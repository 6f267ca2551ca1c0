"""The instance metadata service: what a CVM can ask about itself without credentials.

Paths, trailing slashes and upper-case MAC directories as document 213/4934 shows them: a directory lists its
entries, sub-directories with a slash at the end; what does not exist is 404; case matters. The CVM that asks
is known by its source address, which is one of its private addresses; a listener for tests on loopback can be
given a fixed instance instead. Thread-safe; keeps no state of its own.
"""

import ipaddress
import json
import socket
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from simulator.cloud.faults import FaultKind
from simulator.cloud.region import CloudRegion
from simulator.cloud.state import times
from simulator.cloud.state.resources import CvmInstance, EniState, IpState, NetworkInterface
from simulator.cloud.state.world import World
from simulator.http_server import HttpReply, HttpRequest, HttpServer

FAULT_ACTION = "Metadata"
"""Name under which faults (http_500, timeout_before, latency) hit this service."""

VERSIONS = ("1.0", "2017-09-19", "latest")

Tree: TypeAlias = Mapping[str, "str | Tree"]
"""A directory: texts and sub-directories by name."""

_NOT_FOUND = HttpReply(status=404, body=b"404 Not Found\n")


class MetadataServer(HttpServer):
    """Serves metadata on listening sockets."""

    def __init__(self, region: CloudRegion, sockets: Sequence[socket.socket], instance_id: str = "") -> None:
        """Start to serve; with `instance_id` every client is taken for that instance."""
        self._region = region
        self._instance_id = instance_id
        super().__init__(sockets, self._answer, wall=region.wall)

    def _answer(self, request: HttpRequest) -> HttpReply | None:
        faults = self._region.faults
        if fault := faults.take(FAULT_ACTION, FaultKind.TIMEOUT_BEFORE):
            self.stopping.wait(fault.seconds)
            return None
        if fault := faults.take(FAULT_ACTION, FaultKind.LATENCY):
            self.stopping.wait(fault.seconds)
        if faults.take(FAULT_ACTION, FaultKind.HTTP_500):
            return HttpReply(status=500, body=b"500 Internal Server Error\n")
        if request.method not in ("GET", "HEAD"):
            return HttpReply(status=405, body=b"405 Method Not Allowed\n")
        return self._look_up(request)

    def _look_up(self, request: HttpRequest) -> HttpReply:
        instance_id = self._instance_id or self._region.read(lambda world: instance_at(world, request.peer))
        parts = request.path.split("/")[1:]
        if len(parts) < 3 or parts[0] not in VERSIONS or parts[1] != "meta-data":
            return _NOT_FOUND
        rest = parts[2:]
        if rest[:2] == ["cam", "security-credentials"]:
            return self._credentials(instance_id, rest[2:])
        found: str | Tree | None = self._region.read(lambda world: instance_tree(world, instance_id))
        for name in rest[:-1] if rest[-1] == "" else rest:
            found = found.get(name) if isinstance(found, Mapping) else None
        return _NOT_FOUND if found is None else _shown(found)

    def _credentials(self, instance_id: str, rest: list[str]) -> HttpReply:
        role = self._region.read(lambda world: cam_role(world, instance_id))
        if not role:
            return _NOT_FOUND
        if rest in ([], [""]):
            return _shown(role)
        if rest not in ([role], [role, ""]):
            return _NOT_FOUND
        key = self._region.accounts.temporary_key(role)
        document = {
            "TmpSecretId": key.secret_id,
            "TmpSecretKey": key.secret_key,
            "ExpiredTime": int(key.expires),
            "Expiration": times.iso(key.expires),
            "Token": key.token,
            "Code": "Success",
        }
        return _shown(json.dumps(document, indent=2))


def _shown(found: "str | Tree") -> HttpReply:
    if isinstance(found, str):
        return HttpReply(body=found.encode())
    names = [name if isinstance(entry, str) else f"{name}/" for name, entry in sorted(found.items())]
    return HttpReply(body="\n".join(names).encode())


def instance_at(world: World, ip: str) -> str:
    """Give the instance that has a private address, empty without one."""
    for eni in world.enis.values():
        if ip in eni.addresses:
            return eni.instance_id
    return ""


def cam_role(world: World, instance_id: str) -> str:
    """Give the CAM role that an instance carries, empty without one."""
    instance = world.instances.get(instance_id)
    return instance.cam_role if instance else ""


def instance_tree(world: World, instance_id: str) -> Tree | None:
    """Give everything that an instance may know about itself but its credentials; None for no instance."""
    instance = world.instances.get(instance_id)
    if instance is None:
        return None
    enis = [eni for eni in world.enis_of(instance_id) if eni.state is EniState.AVAILABLE]
    primary = enis[0]
    public = world.address_of(primary.eni_id, primary.primary_ip)
    tree: dict[str, str | Tree] = {
        "instance-id": instance.instance_id,
        "instance-name": instance.name,
        "uuid": instance.uuid,
        "local-ipv4": primary.primary_ip,
        "mac": primary.mac.upper(),
        "placement": {"region": world.config.region, "zone": instance.zone},
        "network": {"interfaces": {"macs": {eni.mac.upper(): _interface(world, eni) for eni in enis}}},
        "instance": {
            "instance-type": instance.instance_type,
            "image-id": "img-487zeit5",
            "security-group": "\n".join(primary.security_groups),
        },
        "payment": {"charge-type": "POSTPAID_BY_HOUR", "create-time": _payment_time(instance)},
        "app-id": world.config.account.app_id,
    }
    if public:
        tree["public-ipv4"] = public.ip
    if instance.cam_role:
        # Shown in the listing; what is in it is answered apart.
        tree["cam"] = {"security-credentials": {instance.cam_role: ""}}
    return tree


def _payment_time(instance: CvmInstance) -> str:
    return times.local(instance.created).replace("-", "/")


def _interface(world: World, eni: NetworkInterface) -> Tree:
    public = [a.ip for a in world.addresses.values() if a.eni_id == eni.eni_id]
    available = [private.ip for private in eni.addresses.values() if private.state is IpState.AVAILABLE]
    tree: dict[str, str | Tree] = {
        "mac": eni.mac.upper(),
        "primary-local-ipv4": eni.primary_ip,
        "vpc-id": eni.vpc_id,
        "subnet-id": eni.subnet_id,
        "owner-id": world.config.account.app_id,
        "local-ipv4s": {ip: _address(world, eni, ip) for ip in available},
    }
    if public:
        tree["public-ipv4s"] = "\n".join(public)
    return tree


def _address(world: World, eni: NetworkInterface, ip: str) -> Tree:
    public = world.address_of(eni.eni_id, ip)
    tree: dict[str, str | Tree] = {
        "gateway": world.gateway(eni.subnet_id),
        "local-ipv4": ip,
        "subnet-mask": str(ipaddress.IPv4Network(world.subnets[eni.subnet_id].cidr).netmask),
    }
    if public:
        tree |= {"public-ipv4": public.ip, "public-ipv4-mode": "NAT"}
    return tree
