"""What is so in the cloud, the kernel, the store and the API, asked of each of them from the outside."""

import json
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.bed import Bed

Row = Mapping[str, Any]
_OWN_TAG = "tke-eni-exclusive-node"
_OWN_TABLE = "4000"
"""Where routes to Pods with ENIs of their own stand."""
_TABLES = (None, "main", _OWN_TABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One look at everything; the parts are seen one after the other, so they agree only at rest."""

    eips: Sequence[Row]
    """As the cloud has them, with the names of DescribeAddresses."""
    enis: Sequence[Row]
    """All but `own_enis`."""
    instance_id: str
    claims: Sequence[Row]
    pods: Mapping[str, Row]
    leases: Mapping[str, Row]
    """Rows of the store's table `addresses`, joined with `leases`, by IP."""
    intents: int
    links: frozenset[str]
    """Host ends of Pods' veths."""
    host_routes: Mapping[str, str]
    """Destinations that lead to one of them, and its name."""
    nft_pods: frozenset[str]
    nft_eip_pods: frozenset[str]
    nft_sources: frozenset[str]
    """Addresses that nft lets in by a link."""
    rules: int
    """Policy rules of ours, but that of exclusive ENI mode."""
    own_enis: Mapping[str, str] = field(default_factory=dict)
    """The node's ENIs for single Pods: address, and the name of its link on the node, empty in a Pod."""


def gather(bed: Bed) -> Evidence:
    """Look at everything now."""
    state = bed.cloud_state()
    rows, intents = _store(bed.state_dir / "ipamd.db")
    elements = _nft(bed.node.netns)
    routes = [r for r in _ip(bed.node.netns, "route", "show", "table", "all") if r.get("table") in _TABLES]
    rules = _ip(bed.node.netns, "rule", "show")
    enis = state["cloud"]["enis"].values()
    own = [e for e in enis if e["tags"].get(_OWN_TAG) == e["instance_id"] == bed.node.instance_id]
    here = {link.get("address"): link["ifname"] for link in _ip(bed.node.netns, "link", "show")}
    return Evidence(
        eips=state["eips"],
        enis=[eni for eni in enis if eni not in own],
        instance_id=bed.node.instance_id,
        claims=bed.workloads.claims(),
        pods={pod["metadata"]["name"]: pod for pod in bed.workloads.pods()},
        leases=rows,
        intents=intents,
        links=frozenset(
            link["ifname"]
            for link in _ip(bed.node.netns, "link", "show", "type", "veth")
            if link["ifname"].startswith("eni")
        ),
        host_routes={r["dst"]: r["dev"] for r in routes if str(r.get("dev", "")).startswith("eni")},
        nft_pods=elements.get("pods", frozenset()) | elements.get("exclusive_pods", frozenset()),
        nft_eip_pods=elements.get("eip_pods", frozenset()),
        nft_sources=elements.get("pod_sources", frozenset()),
        rules=len([r for r in rules if str(r.get("protocol")) == "116" and r.get("table") != _OWN_TABLE]),
        own_enis={
            address["ip"]: here.get(eni["mac"], "")
            for eni in own
            for address in eni["addresses"].values()
            if address["primary"]
        },
    )


def _store(path: Path) -> tuple[dict[str, Row], int]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT * FROM addresses LEFT JOIN leases USING (ip)"
        rows: dict[str, Row] = {row["ip"]: dict(row) for row in connection.execute(query)}
        (intents,) = connection.execute("SELECT count(*) FROM intents").fetchone()
    return rows, int(intents)


def _ip(netns: str, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(_run(netns, "ip", "-j", *arguments) or "[]"))


def _nft(netns: str) -> dict[str, frozenset[str]]:
    listed = json.loads(_run(netns, "nft", "-j", "list", "table", "ip", "tke_eni"))
    found = {}
    for entry in listed["nftables"]:
        for kind in ("set", "map"):
            if kind in entry:
                elements = entry[kind].get("elem", [])
                keys = [element[0] if isinstance(element, list) else element for element in elements]
                found[str(entry[kind]["name"])] = frozenset(map(_address, keys))
    return found


def _address(key: Any) -> str:
    """Return an element's key; of one of link and address, the address."""
    return str(key["concat"][-1] if isinstance(key, dict) and "concat" in key else key)


def _run(netns: str, *command: str) -> str:
    argv = ["nsenter", f"--net=/run/netns/{netns}", *command]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
