"""ENIs that single Pods have, as the cloud, the node and the Pod show them."""

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from ipamd.core import tags
from simulator.fabric import netns as namespaces
from testbed.cluster.nodes import Node
from testbed.cluster.under_test import ClusterUnderTest


@dataclass(frozen=True, slots=True)
class OwnEni:
    """One of them."""

    eni_id: str
    mac: str
    ip: str


def own_enis(cluster: ClusterUnderTest, node: Node) -> dict[str, OwnEni]:
    """The exclusive ENIs of a node, by their address, as the cloud has them."""
    instances = {i["private_ip"]: i["instance_id"] for i in cluster.region.document["instances"]}
    enis = cluster.region.admin.get("/state")["cloud"]["enis"].values()
    return {
        address["ip"]: OwnEni(eni["eni_id"], eni["mac"], address["ip"])
        for eni in enis
        if eni["instance_id"] == instances[node.name] and tags.EXCLUSIVE_NODE in eni["tags"]
        for address in eni["addresses"].values()
        if address["primary"]
    }


def link(node: Node, mac: str) -> dict[str, Any]:
    """The link with a MAC as the node has it; empty: it is not there."""
    links: list[dict[str, Any]] = json.loads(node.run("ip", "-json", "link"))
    return next((one for one in links if one.get("address") == mac), {})


def is_put_away(node: Node, mac: str) -> bool:
    """Whether a link waits on the node for a Pod: down, under the name of its MAC."""
    found = link(node, mac)
    return found.get("ifname") == f"tke{mac.replace(':', '')}" and "UP" not in found["flags"]


def answer(netns: str, address: str, port: int = 80, path: str = "/") -> str:
    """What a web server answers to who asks in a network namespace; empty when it does not."""
    client = namespaces.run_in(netns, socket.socket)
    client.settimeout(3.0)
    connection = http.client.HTTPConnection(address, port)
    try:
        client.connect((address, port))
        connection.sock = client
        connection.request("GET", path)
        return connection.getresponse().read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        client.close()
