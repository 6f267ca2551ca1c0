"""What a person sees when a region has started: where things are and what to try. Pure."""

from collections.abc import Sequence
from typing import Any


def text(document: dict[str, Any]) -> str:
    """Give the summary of a ready document."""
    fabric, internet = document["fabric"], document["internet"]
    endpoints = [("", "from this machine", "from a CVM")]
    for name, key in (("cloud API", "cloud"), ("Kubernetes API", "kube"), ("metadata", "metadata")):
        endpoints.append((name, document[key] or "-", fabric[key] if fabric else "-"))
    endpoints.append(("admin API", document["admin"], "-"))
    instances = [("CVM", "type", "node", "public IP", "network namespace")]
    instances += [
        (i["instance_id"], i["instance_type"], i["node_name"], i["public_ip"] or "-", i["netns"] or "-")
        for i in document["instances"]
    ]
    keys = document["credentials"]
    parts = [
        f"Region {document['region']}, VPC {', '.join(document['vpc_cidrs'])}",
        _table(endpoints),
        f"SecretId {keys['secret_id']}  SecretKey {keys['secret_key']}",
        _table(instances),
    ]
    if internet:
        parts.append(f"Internet: hosts {', '.join(internet['hosts'])} in namespace {internet['netns']}")
    netns = document["instances"][0]["netns"] if document["instances"] else ""
    if netns and internet:
        parts.append(f"Try: ip netns exec {netns} curl -s {internet['source_echo'][0]}/")
    return "\n\n".join([*parts, "Ctrl-C ends it and removes everything."])


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
