"""What a CVM's kernel has forgotten when it starts again, done to the network namespace that stands for it.

The namespace outlives the machine's power cut, because it is the simulator's. What stays is what an image
brings up by itself: the primary ENI with its address and routes. Kernel parameters stay, and so does the
boot id of the host: to a program, a node that was booted again looks like one on which everything was
killed.
"""

import json
import subprocess
from typing import Any

_IMAGE_RULES = 0, 32766, 32767
"""Priorities of the kernel's own rules: local, main, default."""
_IMAGE_TABLES = "main", "local", "default"


def forget(netns: str) -> None:
    """Remove nftables and iptables rules, policy rules, route tables, and the set-up of secondary ENIs."""
    _run(netns, "nft", "flush", "ruleset")
    for rule in _shown(netns, "rule", "show"):
        if rule["priority"] not in _IMAGE_RULES:
            _run(netns, "ip", "rule", "del", "pref", str(rule["priority"]))
    tables = {route.get("table", "main") for route in _shown(netns, "route", "show", "table", "all")}
    for table in tables.difference(_IMAGE_TABLES):
        _run(netns, "ip", "route", "flush", "table", str(table))
    for link in _shown(netns, "link", "show"):
        name = link["ifname"]
        if name.startswith("eth") and name != "eth0":
            _run(netns, "ip", "addr", "flush", "dev", name)
            _run(netns, "ip", "link", "set", name, "down")


def _shown(netns: str, *what: str) -> list[dict[str, Any]]:
    return list(json.loads(_run(netns, "ip", "-json", *what) or "[]"))


def _run(netns: str, *command: str) -> str:
    enter = ["nsenter", f"--net=/run/netns/{netns}"]
    return subprocess.run([*enter, *command], check=True, capture_output=True, text=True).stdout
