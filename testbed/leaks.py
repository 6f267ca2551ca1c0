"""What is left behind: the node's kernel compared with a moment before, and the objects that should be gone.

Everything is asked from the outside (ip, nft, the cloud's and the cluster's APIs), never from the agent.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence

KernelState = Mapping[str, frozenset[str]]

_COMMANDS: Mapping[str, Sequence[str]] = {
    "links": ("ip", "-j", "link", "show"),
    "rules": ("ip", "-j", "rule", "show"),
    "routes": ("ip", "-j", "route", "show", "table", "all"),
    "neighbours": ("ip", "-j", "neigh", "show", "nud", "permanent"),
    "nft": ("nft", "-j", "list", "table", "ip", "tke_eni"),
}


def kernel_state(netns: str) -> KernelState:
    """Everything of the node's namespace that a Pod could leave behind, each as one comparable string."""
    return {what: frozenset(_facts(netns, what, command)) for what, command in _COMMANDS.items()}


def left_behind(before: KernelState, after: KernelState) -> dict[str, list[str]]:
    """What `after` has and `before` had not, by kind; empty when nothing is left."""
    extra = {what: sorted(after[what] - before[what]) for what in before}
    return {what: facts for what, facts in extra.items() if facts}


def _facts(netns: str, what: str, command: Sequence[str]) -> list[str]:
    output = subprocess.run(
        ["ip", "netns", "exec", netns, *command], check=True, capture_output=True, text=True
    ).stdout
    decoded = json.loads(output or "[]")
    if what == "links":
        return [str(link["ifname"]) for link in decoded]
    if what == "nft":
        return [fact for entry in decoded["nftables"] for fact in _nft_facts(entry)]
    return [json.dumps(entry, sort_keys=True) for entry in decoded]


def _nft_facts(entry: Mapping[str, object]) -> list[str]:
    """One string for each rule, chain and element; handles and counters differ from run to run."""
    [(kind, body)] = entry.items()
    if kind == "metainfo" or not isinstance(body, dict):
        return []
    elements = body.get("elem", [])
    plain = {key: value for key, value in body.items() if key not in ("handle", "elem")}
    name = f"{kind} {json.dumps(plain, sort_keys=True)}"
    return [name, *(f"{kind} {body['name']} element {json.dumps(element)}" for element in elements)]
