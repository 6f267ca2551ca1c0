"""`make demo`: one region, one node, three Pods, and packets as the proof.

Creates the Pods through the CNI exec protocol, shows what an outside host sees of each, deletes them and
shows that nothing is left. The facts are also written to build/demo.json.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from testbed import leaks, masquerade, probes, table
from testbed.bed import Bed
from testbed.http_json import HttpError
from testbed.processes import ChildFailedError
from testbed.runtime import CniError, Sandbox

_OUTPUT = Path("build")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPod:
    """What a user writes."""

    name: str
    wish: str
    annotations: dict[str, str]
    eip: bool


PODS = (
    DemoPod(name="web-0", wish="no EIP", annotations={}, eip=False),
    DemoPod(
        name="web-1",
        wish='{"Bandwidth":"100","ISP":"BGP"}',
        annotations={"eip-attributes": '{"Bandwidth":"100","ISP":"BGP"}'},
        eip=True,
    ),
    DemoPod(name="web-2", wish="EIP, defaults", annotations={"eip-attributes": ""}, eip=True),
)


@dataclass(slots=True, kw_only=True)
class Facts:
    """What was seen of one Pod; the row of the table and of demo.json."""

    name: str
    wish: str
    private_ip: str = ""
    eni: str = ""
    eip: str = ""
    eip_id: str = ""
    seen_source: str = ""
    inbound_ok: bool | None = None
    """None for a Pod without EIP: nothing outside can reach it."""
    add_ms: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when every packet proved its point and nothing was left behind."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    options = parser.parse_args(arguments)
    # `kill` and a closed terminal clean up like Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    progress = table.Progress()
    try:
        with Bed(_OUTPUT / "demo") as bed:
            return Demo(bed, progress).run(keep=options.keep)
    except KeyboardInterrupt:
        progress.say("\nstopped; everything was removed")
        return 130
    except (ChildFailedError, CniError, HttpError) as error:
        progress.say(f"\nthe demo failed: {error}\nlogs: {_OUTPUT / 'demo' / 'logs'}")
        return 1


class Demo:
    """The story, step by step. Invariant: `facts` has a row for each Pod whose ADD succeeded."""

    def __init__(self, bed: Bed, progress: table.Progress) -> None:
        self._bed = bed
        self._progress = progress
        self._sandboxes: dict[str, Sandbox] = {}
        self.facts: dict[str, Facts] = {}
        self._pod_to_pod: list[dict[str, Any]] = []

    def run(self, *, keep: bool) -> int:
        """Everything from an empty machine to an empty machine."""
        say = self._progress.say
        self._bring_up()
        before = leaks.kernel_state(self._bed.node.netns)
        self._create_pods()
        self._look_from_outside()
        self._look_inside()
        say()
        say(self._table())
        say()
        say(self._explanation())
        if keep:
            self._wait_for_interrupt()
        self._delete_pods()
        left = self._left_behind(before)
        verdict = "nothing left behind" if not left else f"LEFT BEHIND: {json.dumps(left, indent=1)}"
        say(f"\nAfter the deletes: {verdict}")
        report = {
            "pods": [asdict(facts) for facts in self.facts.values()],
            "pod_to_pod": self._pod_to_pod,
            "node": {"name": self._bed.node.name, "public_ip": self._bed.node.public_ip},
            "leaks": left,
        }
        path = _OUTPUT / "demo.json"
        path.write_text(json.dumps(report, indent=2) + "\n")
        wrong = self._wrong_facts()
        for sentence in wrong:
            say(f"NOT AS PROMISED: {sentence}")
        say(f"Facts: {path}")
        return 1 if left or wrong else 0

    def _bring_up(self) -> None:
        bed, progress = self._bed, self._progress
        progress.say("A Tencent Cloud region with one node, on this machine:")
        with progress.step("region ap-guangzhou: cloud API, metadata, VPC, internet, Kubernetes API"):
            bed.start_region()
        with progress.step(f"node {bed.node.name}: MASQUERADE rule as ip-masq-agent installs it"):
            masquerade.install(bed.node.netns, vpc_cidrs=bed.region["vpc_cidrs"])
        with progress.step("ipamd controller"):
            bed.start_controller()
        with progress.step("ipamd agent: first ENI attached, addresses warm, capacity on the Node"):
            bed.start_agent()
            bed.wait_until_ready(warm=len(PODS))

    def _create_pods(self) -> None:
        for pod in PODS:
            with self._progress.step(f"Pod {pod.name} ({pod.wish}): CNI ADD"):
                sandbox, outcome = self._bed.add_pod(pod.name, annotations=pod.annotations, eip=pod.eip)
                self._sandboxes[pod.name] = sandbox
                self.facts[pod.name] = Facts(
                    name=pod.name,
                    wish=pod.wish,
                    private_ip=outcome.ip(),
                    add_ms=round(outcome.milliseconds, 1),
                )
        for entry in self._bed.ctl("pods")["pods"]:
            facts = self.facts[entry["name"]]
            facts.eni, facts.eip, facts.eip_id = entry["eniId"], entry["publicIp"], entry["eipId"]

    def _look_from_outside(self) -> None:
        host = self._bed.internet_hosts[0]
        with (
            self._progress.step("outbound: which source address does an internet host see?"),
            probes.SourceReporter(self._bed.internet_netns),
        ):
            for name, facts in self.facts.items():
                facts.seen_source = probes.seen_source(self._sandboxes[name].netns, host)
        with self._progress.step("inbound: TCP from the internet to each EIP"):
            for name, facts in self.facts.items():
                if facts.eip:
                    with probes.SourceReporter(self._sandboxes[name].netns):
                        facts.inbound_ok = bool(probes.seen_source(self._bed.internet_netns, facts.eip))

    def _look_inside(self) -> None:
        with self._progress.step("Pod to Pod by private address"):
            for target, target_facts in self.facts.items():
                with probes.SourceReporter(self._sandboxes[target].netns):
                    for source, source_facts in self.facts.items():
                        if source == target:
                            continue
                        seen = probes.seen_source(self._sandboxes[source].netns, target_facts.private_ip)
                        self._pod_to_pod.append(
                            {"from": source, "to": target, "ok": seen == source_facts.private_ip}
                        )

    def _table(self) -> str:
        rows = [
            [
                facts.name,
                facts.wish,
                facts.private_ip,
                facts.eni,
                facts.eip or "-",
                facts.seen_source or "nobody",
                {True: "answered", False: "NO ANSWER", None: "-"}[facts.inbound_ok],
                self._peers_reached(facts.name),
                f"{facts.add_ms:.1f}",
            ]
            for facts in self.facts.values()
        ]
        headers = [
            "POD",
            "ASKED FOR",
            "PRIVATE IP",
            "ENI",
            "EIP",
            "INTERNET SEES",
            "INBOUND",
            "PODS",
            "ADD ms",
        ]
        return table.render(headers, rows)

    def _peers_reached(self, name: str) -> str:
        mine = [entry["ok"] for entry in self._pod_to_pod if entry["from"] == name]
        return f"{sum(mine)} of {len(mine)}"

    def _explanation(self) -> str:
        node = self._bed.node
        return (
            f"The node's own public IP is {node.public_ip}. The node has ip-masq-agent's MASQUERADE rule:\n"
            "a Pod without EIP leaves with the node's address, a Pod with an EIP leaves with its own.\n"
            "ADD of a Pod with an EIP includes the wait until the cloud has allocated and bound it."
        )

    def _wrong_facts(self) -> list[str]:
        wrong = []
        for pod in PODS:
            facts = self.facts[pod.name]
            expected = facts.eip if pod.eip else self._bed.node.public_ip
            if not expected or facts.seen_source != expected:
                wrong.append(f"{pod.name} was seen as {facts.seen_source or 'nobody'}, not as {expected}")
            if pod.eip and not facts.inbound_ok:
                wrong.append(f"nobody reached {pod.name} at {facts.eip or 'its EIP'}")
        wrong += [
            f"{entry['from']} did not reach {entry['to']}" for entry in self._pod_to_pod if not entry["ok"]
        ]
        return wrong

    def _wait_for_interrupt(self) -> None:
        bed = self._bed
        say = self._progress.say
        web = self.facts["web-1"]
        say("\nEverything keeps running. Try, in another terminal:")
        say(f"  .venv/bin/ipamctl --socket {bed.socket} status")
        say(f"  .venv/bin/ipamctl --socket {bed.socket} pods")
        say(f"  ip netns exec {bed.node.netns} nft list table ip tke_eni")
        say(f"  ip netns exec {bed.node.netns} ip rule")
        say(f"  ip netns exec {self._sandboxes['web-1'].netns} ping -c1 {bed.internet_hosts[0]}")
        say(f"  ip netns exec {bed.internet_netns} ping -c1 {web.eip}")
        say(f"  curl -s {bed.endpoints.kube}/apis/networking.tke.cloud.tencent.com/v1/eipclaims")
        say(f"  .venv/bin/kubectl-eni --kubeconfig {bed.kubeconfig} claims")
        say("Ctrl-C goes on with the deletes.")
        try:
            signal.pause()
        except KeyboardInterrupt:
            say()

    def _delete_pods(self) -> None:
        for name, sandbox in self._sandboxes.items():
            with self._progress.step(f"Pod {name}: CNI DEL"):
                self._bed.delete_pod(sandbox)
        with self._progress.step("EIPs unbound and released, claims gone"):
            self._bed.wait_until("all EIPs released", lambda: not self._held_objects(), seconds=60)

    def _held_objects(self) -> dict[str, list[str]]:
        """EIPs in the cloud, claims in the cluster and addresses in the agent that are not free yet."""
        pool = self._bed.ctl("status")["pool"]
        eips = [eip["AddressId"] for eip in self._bed.cloud_state()["eips"]]
        held = {
            "eips": [eip for eip in eips if eip not in self._bed.region["initial_eips"]],
            "claims": [claim["metadata"]["name"] for claim in self._bed.workloads.claims()],
            "addresses": [f"{pool['inUse']} in use"] if int(pool.get("inUse", 0)) else [],
        }
        return {kind: names for kind, names in held.items() if names}

    def _left_behind(self, before: leaks.KernelState) -> dict[str, list[str]]:
        with self._progress.step("looking for leaks: links, routes, rules, nft, EIPs, claims, addresses"):
            kernel = leaks.left_behind(before, leaks.kernel_state(self._bed.node.netns))
            return {**kernel, **self._held_objects()}


if __name__ == "__main__":
    sys.exit(main())
