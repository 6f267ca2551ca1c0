"""The operator's side of a simulated region: look at everything, boot and end CVMs, make things go wrong.

JSON over HTTP on loopback, for demos, tests and people; no cloud has it. GET / lists what there is. An error
is answered as {"error": "<what and what is allowed>"}. Keeps no state of its own; thread-safe as its parts
are.
"""

import json
import logging
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from simulator.cloud import faults as cloud_faults
from simulator.cloud.config import ConfigError, region_config
from simulator.cloud.fleet import FleetError
from simulator.cloud.state.world import World
from simulator.fabric.api import FabricError
from simulator.http_server import HttpReply, HttpRequest, HttpServer
from simulator.kube import faults as kube_faults
from simulator.region import SimulatedRegion

log = logging.getLogger(__name__)

Body: TypeAlias = Mapping[str, Any]
Route: TypeAlias = tuple[str, str, str, Callable[..., Any]]
"""Method, path (a `*` is one segment and becomes an argument), what it does, and the function."""


class AdminServer(HttpServer):
    """Serves the admin API of a region on listening sockets."""

    def __init__(self, region: SimulatedRegion, sockets: Sequence[socket.socket]) -> None:
        """Start to serve; the region stays its owner's to close, after this."""
        self._region = region
        self._routes: tuple[Route, ...] = (
            ("GET", "/", "this list", lambda _: self._index()),
            ("GET", "/region", "the document of the ready file, as of now", lambda _: region.describe()),
            ("GET", "/state", "EIPs, and everything that the cloud holds", lambda _: self._state()),
            ("GET", "/audit", "calls of the cloud API so far", lambda _: region.cloud.audit.as_dict()),
            ("GET", "/spoof-drops", "spoofed packets by ENI", lambda _: dict(region.fabric.spoof_drops())),
            ("POST", "/instances", "boot a CVM: fields of InstanceOrder", self._boot),
            ("DELETE", "/instances/*", "end a CVM; its Node object stays", self._terminate),
            (
                "POST",
                "/instances/*",
                '{"state": "STOPPED"} and/or {"instance_type": name}',
                self._set_instance,
            ),
            ("POST", "/enis/*", '{"security_groups": [...]}, of primary ENIs too', self._set_eni),
            ("POST", "/nat-gateways", "make a NAT gateway: fields of NatGatewayConfig", self._add_nat),
            ("POST", "/eips/*", '{"arrears": bool, "blocked": bool}', self._set_eip),
            ("POST", "/vpc", '{"assistant_cidrs": [...]}: besides the main one', self._set_vpc),
            ("POST", "/account", '{"balance_ok": bool}', self._set_account),
            ("POST", "/reservations", '{"offered": bool, "assignable": bool}', self._set_reservations),
            ("POST", "/attachments", '{"eips": "LIMITED" | "ALL" | "NONE"}', self._set_attachments),
            ("GET", "/policies", "CAM policies by user and role", lambda _: region.cloud.accounts.policies()),
            ("POST", "/policies/*", '{"allow": [globs], "deny": [globs]}', self._set_policy),
            ("POST", "/keys", '{"expire": role}: its temporary keys are valid no more', self._expire_keys),
            ("POST", "/clock", '{"error": seconds}: how far the clients\' clocks are ahead', self._set_clock),
            ("POST", "/faults", '{"clear": true, "add": [{"kind": ...}]}; {} only looks', self._cloud_faults),
            ("GET", "/kube", "faults in force and requests so far", lambda _: self._kube()),
            ("DELETE", "/kube/traffic", "count requests anew", lambda _: self._kube_count_anew()),
            ("POST", "/kube/faults", 'one fault, such as {"kind": "status", "code": 429}', self._kube_fault),
            ("DELETE", "/kube/faults", "end all faults", lambda _: self._kube_heal()),
            ("DELETE", "/kube/faults/*", "end one fault", lambda _, number: self._kube_heal(number)),
            ("POST", "/kube/watches", '{"do": "cut" | "expire", "resource": "pods"}', self._kube_watches),
        )
        super().__init__(sockets, self._answer)

    def _answer(self, request: HttpRequest) -> HttpReply:
        try:
            found = self._find(request)
            if found is None:
                return _error(404, f"there is no {request.method} {request.path}; GET / lists what there is")
            route, arguments = found
            return _json(200, route[3](_body(request), *arguments))
        except (cloud_faults.FaultError, ConfigError, FabricError, FleetError, ValueError) as e:
            return _error(400, str(e))
        except KeyError as e:
            return _error(404, f"{request.path} was not found: {e.args[0]}")
        except Exception as e:
            log.exception("%s %s failed", request.method, request.path)
            return _error(500, repr(e))

    def _find(self, request: HttpRequest) -> tuple[Route, list[str]] | None:
        for route in self._routes:
            pattern = re.escape(route[1]).replace(r"\*", "([^/]+)")
            match = re.fullmatch(pattern, request.path)
            if route[0] == request.method and match:
                return route, list(match.groups())
        return None

    def _index(self) -> dict[str, str]:
        return {f"{method} {path}": purpose for method, path, purpose, _ in self._routes}

    def _state(self) -> dict[str, Any]:
        return {"eips": self._region.cloud.read(_eips), "cloud": self._region.cloud.snapshot()}

    def _boot(self, body: Body) -> dict[str, Any]:
        [order] = region_config({"instances": [body]}).instances
        return self._region.create_instance(order)

    def _terminate(self, _: Body, instance_id: str) -> dict[str, Any]:
        self._region.cloud.terminate_instance(instance_id)
        return {}

    def _set_instance(self, body: Body, instance_id: str) -> dict[str, Any]:
        if "instance_type" in body:
            self._region.cloud.resize_instance(instance_id, str(body["instance_type"]))
        if "state" in body or "instance_type" not in body:
            self._region.cloud.set_instance_state(instance_id, str(_required(body, "state")))
        return {}

    def _set_eni(self, body: Body, eni_id: str) -> dict[str, Any]:
        groups = [str(group) for group in _required(body, "security_groups")]
        self._region.cloud.set_security_groups(eni_id, groups)
        return {}

    def _add_nat(self, body: Body) -> dict[str, Any]:
        [order] = region_config({"nat_gateways": [body]}).nat_gateways
        gateway = self._region.cloud.add_nat_gateway(order)
        return {"nat_gateway_id": gateway.nat_gateway_id, "public_ip": gateway.public_ip}

    def _set_eip(self, body: Body, address_id: str) -> dict[str, Any]:
        self._region.cloud.set_eip_condition(
            address_id, arrears=bool(body.get("arrears", False)), blocked=bool(body.get("blocked", False))
        )
        return {}

    def _set_vpc(self, body: Body) -> dict[str, Any]:
        self._region.cloud.set_assistant_cidrs(list(_required(body, "assistant_cidrs")))
        return {}

    def _set_account(self, body: Body) -> dict[str, Any]:
        self._region.cloud.set_balance_ok(bool(_required(body, "balance_ok")))
        return {}

    def _set_reservations(self, body: Body) -> dict[str, Any]:
        self._region.cloud.set_reservation_rules(
            offered=bool(body.get("offered", True)), assignable=bool(body.get("assignable", True))
        )
        return {}

    def _set_attachments(self, body: Body) -> dict[str, Any]:
        self._region.cloud.set_attachment_of_eips(str(_required(body, "eips")))
        return {}

    def _set_policy(self, body: Body, name: str) -> dict[str, Any]:
        self._region.cloud.accounts.set_policy(
            name, allow=tuple(body.get("allow", ["*"])), deny=tuple(body.get("deny", []))
        )
        return self._region.cloud.accounts.policies()

    def _expire_keys(self, body: Body) -> dict[str, Any]:
        return {"expired": self._region.cloud.accounts.expire_keys(str(_required(body, "expire")))}

    def _set_clock(self, body: Body) -> dict[str, Any]:
        self._region.cloud.set_clock_error(float(_required(body, "error")))
        return {}

    def _cloud_faults(self, body: Body) -> dict[str, Any]:
        return cloud_faults.apply(self._region.cloud.faults, body)

    def _kube(self) -> dict[str, Any]:
        return {"faults": self._region.kube.faults.as_json(), "traffic": self._region.kube.traffic.as_json()}

    def _kube_count_anew(self) -> dict[str, Any]:
        self._region.kube.traffic.reset()
        return {}

    def _kube_fault(self, body: Body) -> dict[str, Any]:
        return {"id": self._region.kube.inject(kube_faults.from_json(dict(body)))}

    def _kube_heal(self, number: str = "") -> dict[str, Any]:
        self._region.kube.heal(int(number) if number else None)
        return self._region.kube.faults.as_json()

    def _kube_watches(self, body: Body) -> dict[str, Any]:
        doings = {"cut": self._region.kube.cut_watches, "expire": self._region.kube.expire_watches}
        if body.get("do") not in doings:
            raise ValueError(f"do must be cut or expire, not {body.get('do')!r}")
        return {"watches": doings[body["do"]](str(body.get("resource", "")))}


def _eips(world: World) -> list[dict[str, Any]]:
    """Give the EIPs with the names that DescribeAddresses has for the same things."""
    return [
        {
            "AddressId": address.address_id,
            "AddressIp": address.ip,
            "AddressType": address.address_type,
            "AddressStatus": address.status,
            "NetworkInterfaceId": address.eni_id,
            "PrivateAddressIp": address.private_ip,
            "AddressName": address.name,
            "Bandwidth": address.bandwidth,
            "InternetChargeType": address.charge_type,
            "BandwidthPackageId": address.bandwidth_package_id,
            "Tags": dict(address.tags),
        }
        for address in world.addresses.values()
    ]


def _body(request: HttpRequest) -> Body:
    if not request.body:
        return {}
    document = json.loads(request.body)
    if not isinstance(document, dict):
        raise ValueError(f"the body must be a JSON object, not {document!r}")  # noqa: TRY004 - bad input
    return document


def _required(body: Body, name: str) -> Any:
    if name not in body:
        raise ValueError(f"the body must have {name!r}; it has {', '.join(body) or 'nothing'}")
    return body[name]


def _json(status: int, document: Any) -> HttpReply:
    body = json.dumps(document, indent=2, default=str) + "\n"
    return HttpReply(status=status, content_type="application/json", body=body.encode())


def _error(status: int, message: str) -> HttpReply:
    return _json(status, {"error": message})
