"""The end of a run in peace: every Pod runs and everybody says so, then all go, and nothing is left of them.

Each step waits for what has to come by itself; what does not come in its time is a verdict.
"""

import json

from ipamd.core import tags
from ipamd.core.claim import eipclaim
from ipamd.core.ledger import states
from ipamd.net import exclusive_eni
from tests.chaos.agent_node import links_here
from tests.chaos.surroundings import TEAM
from tests.testkit.eventually import comes_about

_FREE = (states.Warm, states.Cooling, states.Unassigning)


class Settling:
    """Brings a cluster without troubles to rest, and judges it."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._around = cluster.around
        self._verdicts = cluster.verdicts

    def settle(self):
        self._all_pods_run()
        self._all_pods_go()
        self._retained_claims_rest()
        self._fixed_addresses_rest()
        self._nothing_is_left()

    def _all_pods_run(self):
        if not comes_about(lambda: not self._waiting(), 60.0) and self._waiting_for_late_orders():
            self._cluster.minutes_pass()
            comes_about(lambda: not self._waiting(), 60.0)
        claimed = self._around.claims()
        for life in self._waiting():
            there = self._with_eip_on(life.node)
            self._verdicts.unmended(f"{life} does not run; its claim: {claimed.get(life.name)}; {there}")
        self._cluster.watchman.look()
        for life in self._cluster.living():
            if life.running and life.kind.wants_eip:
                comes_about(lambda life=life: self._told(life), 30.0)
                if not self._told(life):
                    self._verdicts.unmended(f"{life}: its claim or annotations do not tell of its EIP")
            own = life.running and life.kind.has_own_eni
            if own and not comes_about(lambda life=life: self._has_its_eni(life), 10.0):
                self._verdicts.unmended(f"{life} does not have its ENI")

    def _with_eip_on(self, node):
        """What of a node has an EIP, which may be why another Pod gets none."""
        return [address for address in node.ledger.addresses.values() if address.eip is not None]

    def _waiting(self):
        return [life for life in self._cluster.living() if not life.running]

    def _waiting_for_late_orders(self):
        """Successors of Pods that went with their EIPs on order, if nobody knows what became of it."""
        claimed = self._around.claims()
        return [
            life
            for life in self._waiting()
            if (claim := claimed.get(life.name))
            and claim["metadata"].get("deletionTimestamp")
            and claim.get("status", {}).get("allocation", {}).get("startedAt")
        ]

    def _told(self, life):
        """Whether claim and Pod say what is bound."""
        claim = self._around.claims().get(life.name)
        if claim is None or life.running is None:
            return False
        view = eipclaim.read(claim)
        bound = eipclaim.condition(view.conditions, eipclaim.BOUND).get("status") == "True"
        said = self._around.pod(life.name)["metadata"]["annotations"].get("tke.cloud.tencent.com/eip-id")
        return (
            bound
            and view.binding is not None
            and (view.binding.private_ip, view.binding.sandbox)
            == (life.running.ip, life.running.container_id)
            and view.address is not None
            and view.address.eip_id == life.eip_id == said
        )

    def _has_its_eni(self, life):
        """Whether the ENI with the Pod's address is its eth0."""
        macs = [eni["mac"] for eni in self._enis_of(life.node) if life.last_ip in eni["addresses"]]
        inside = life.sandbox.run(links_here) if life.sandbox else {}
        return [inside[mac].name for mac in macs if mac in inside] == ["eth0"]

    def _enis_of(self, node):
        """The secondary ENIs of a node."""
        enis = self._around.state()["cloud"]["enis"].values()
        return [eni for eni in enis if eni["instance_id"] == node.instance_id and not eni["primary"]]

    def _all_pods_go(self):
        for life in self._cluster.living():
            life.end()
        if not comes_about(lambda: not self._cluster.lives, 60.0):
            for life in list(self._cluster.lives.values()):
                self._verdicts.unmended(f"{life} does not end")

    def _retained_claims_rest(self):
        """Kept claims keep their EIP, unbound or at an ENI that moves; then a person deletes them."""

        def restless():
            state = self._around.state()
            eips = {e["AddressId"]: e for e in state["eips"]}
            return [
                name
                for name, claim in self._around.claims().items()
                if claim["spec"]["deletePolicy"] == "Never"
                and not claim["metadata"].get("deletionTimestamp")
                and not self._rests(claim.get("status", {}), eips, state["cloud"]["enis"])
            ]

        if not comes_about(lambda: not restless(), 60.0, tick=0.3):
            for name in restless():
                self._verdicts.unmended(f"retained claim does not rest: {self._around.claims()[name]}")
        kept = self._around.vpc_ip_claims().values()
        self._cluster.watchman.claims_end(claim["metadata"]["uid"] for claim in kept)
        for name in self._around.claims():
            self._around.delete_claim(name)

    def _fixed_addresses_rest(self):
        """Kept addresses are at no ENI or at one that is at no node; then a person deletes their claims."""

        def restless():
            enis = self._around.state()["cloud"]["enis"].values()
            at_enis = {ip for eni in enis if not _is_kept(eni) for ip in eni["addresses"]}
            return [
                claim
                for claim in self._around.vpc_ip_claims().values()
                if claim.get("status", {}).get("binding")
                or claim.get("status", {}).get("address", {}).get("ip") in at_enis
            ]

        if not comes_about(lambda: not restless(), 60.0, tick=0.3):
            for claim in restless():
                self._verdicts.unmended(f"a fixed address does not rest: {claim}")
        for name in self._around.vpc_ip_claims():
            self._around.delete_vpc_ip_claim(name)
        self._cluster.fixed_ips.clear()

    def _rests(self, status, eips, enis):
        eip = eips.get(status.get("address", {}).get("id"))
        unbound = eip is None or eip["AddressStatus"] == "UNBIND"
        stays = not unbound and _moves(enis.get(eip["NetworkInterfaceId"], {}))
        return (unbound or stays) and not status.get("binding")

    def _nothing_is_left(self):
        if not comes_about(lambda: not self._claims_and_eips(), 4.0, tick=0.3):
            # What waits for late answers of the cloud waits no longer than this.
            self._cluster.minutes_pass()
            if not comes_about(lambda: not self._claims_and_eips(), 60.0, tick=0.3):
                for left in self._claims_and_eips():
                    self._verdicts.leaked(left)
        for node in self._cluster.nodes:
            if not comes_about(lambda node=node: not self._left_on(node), 30.0, tick=0.3):
                for left in self._left_on(node):
                    self._verdicts.unmended(f"node {node.name}: {left}")

    def _claims_and_eips(self):
        eips = self._around.state()["eips"]
        ours = [
            e
            for e in eips
            if "tke-eipclaim-uid" in e["Tags"] or (e["Tags"] == TEAM and e["AddressStatus"] != "UNBIND")
        ]
        claimed = self._around.claims()
        cloud = self._around.state()["cloud"]
        kept = cloud["reservations"].values()
        enis = [eni for eni in cloud["enis"].values() if tags.VPC_IP_CLAIM_UID in eni["tags"]]
        return [
            *(f"EIP {json.dumps(e)}" for e in ours),
            *(f"claim {json.dumps(c)}" for c in claimed.values()),
            *(f"claim {json.dumps(c)}" for c in self._around.vpc_ip_claims().values()),
            *(f"VpcIP {ip}" for ip in self._around.vpc_ips()),
            *(f"reservation {json.dumps(r)}" for r in kept),
            *(f"ENI {json.dumps(eni)}" for eni in enis),
        ]

    def _own_enis_astray(self, node):
        """ENIs for single Pods that are not put away on the node, or not at the node at all."""
        here = node.links_by_mac()
        there = {
            eni["eni_id"]: eni["mac"] for eni in self._enis_of(node) if tags.EXCLUSIVE_NODE in eni["tags"]
        }
        tagged = {
            eni["eni_id"]
            for eni in self._around.state()["cloud"]["enis"].values()
            if eni["tags"].get(tags.EXCLUSIVE_NODE) == node.instance_id
        }
        return [
            *(f"ENI {eni_id} has our tag and is not attached" for eni_id in tagged - there.keys()),
            *(
                f"the link of ENI {eni_id} is {here.get(mac)}"
                for eni_id, mac in there.items()
                if mac not in here or not exclusive_eni.is_put_away(here[mac])
            ),
        ]

    def _left_on(self, node):
        """What a node has of Pods although none is there, and where store and cloud differ."""
        links, elements = node.pods_in_kernel()
        ledger = node.ledger
        taken = [a for a in ledger.addresses.values() if not isinstance(a.state, _FREE) or a.quarantined]
        enis = self._enis_of(node)
        listed = {
            ip
            for eni in enis
            for ip, private in eni["addresses"].items()
            if private["primary"] == (tags.EXCLUSIVE_NODE in eni["tags"])
        }
        return (
            self._own_enis_astray(node)
            + [f"link {name}" for name in links]
            + [f"nft element {ip}" for ip in elements]
            + [f"address {address}" for address in taken]
            + [f"{ip} is only in the cloud" for ip in listed - set(ledger.addresses)]
            + [f"{ip} is only in the store" for ip in set(ledger.addresses) - listed]
            + [f"{what} is not worked off" for what in node.pending.glob("*.del")]
        )


def _moves(eni):
    """Whether an ENI is a claim's, for whatever node."""
    return tags.VPC_IP_CLAIM_UID in eni.get("tags", {})


def _is_kept(eni):
    """Whether an ENI is at no node, and kept for the next Pod of its claim."""
    return _moves(eni) and not eni["instance_id"]
