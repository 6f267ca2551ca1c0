"""Looks again and again at what must hold at every moment, whatever is going wrong.

- A Pod that runs has the EIP that it started with, at its address, until somebody ends it.
- A Pod that asked for no EIP has none at its address: it would get another's packets.
- The fixed address of a Pod that runs is at an ENI of its node, and no other Pod ever has it.
- An ENI that moves with its Pod, and an EIP that has come to one, stay together as long as their claims are.
- A claim has one EIP at most. EIPs of users are never released.
- The ledger of each agent keeps its own invariants.

The cloud is looked at from its operator's side. A Pod is judged only if it was the same before and after
the look.
"""

import collections
import threading
import time

from ipamd.core import tags
from ipamd.core.ledger import ledger
from tests.chaos.pod_lives import Kind
from tests.chaos.surroundings import BOUND, TEAM

_EVERY = 0.2


class Watchman:
    """Looks at a cluster, from a thread of its own."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchman", daemon=True)
        self.looks = 0
        self._guard = threading.Lock()
        self._enis = {}
        """By the UID of a VpcIPClaim its ENI, once it was named there: one that is being made may fail."""
        self._stay = {}
        """By the id of an EIP that was seen at such an ENI which one."""
        self._loose = set()
        """EIPs whose claim is over."""
        self._over = set()
        """UIDs of claims that are over: what was theirs may go."""

    def start(self):
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._thread.join()

    def claims_end(self, uids):
        """A person deletes these VpcIPClaims, and the EIPClaims of the same Pods, from now on."""
        with self._guard:
            self._over.update(uids)
            gone = {eni for uid, eni in self._enis.items() if uid in self._over}
            self._stay = {eip: eni for eip, eni in self._stay.items() if eni not in gone}

    def eip_ends(self, eip_id):
        """A person deletes the EIPClaim of an EIP from now on; its VpcIPClaim stays."""
        with self._guard:
            self._stay.pop(eip_id, None)
            self._loose.add(eip_id)

    def look(self):
        """Look once, now."""
        before = self._running()
        named = self._named_enis()
        state = self._cluster.around.state()
        eips = state["eips"]
        running = {life: was for life, was in self._running().items() if before.get(life) is was}
        self._judge_pods(running, eips)
        self._judge_fixed(running, state["cloud"]["enis"].values())
        self._judge_moving(named, state["cloud"]["enis"].values(), eips)
        self._judge_claims(eips)
        self._judge_ledgers()
        self.looks += 1

    def _run(self):
        while not self._stopping.wait(_EVERY):
            try:
                self._cluster.end_troubles(time.monotonic())
                self.look()
            except Exception as e:  # noqa: BLE001 - a finding, whatever it is
                self._cluster.verdicts.unmended(f"the watchman could not look: {e!r}")

    def _running(self):
        return {life: life.running for life in self._cluster.living() if life.running is not None}

    def _judge_pods(self, running, eips):
        at = collections.defaultdict(list)
        for eip in eips:
            if eip["PrivateAddressIp"]:
                at[eip["PrivateAddressIp"]].append(eip)
        for life, network in running.items():
            there = at[network.ip]
            if _waits_for_another(life, there):
                continue
            life.lost_eip = ""
            if not life.kind.wants_eip:
                if there:
                    self._cluster.verdicts.stolen(f"{life} gets the packets of {there}")
            elif [eip["AddressStatus"] in BOUND for eip in there] != [True]:
                self._cluster.verdicts.stolen(f"{life} has lost {life.eip_id}, there is {there}")
            elif life.eip_id not in ("", there[0]["AddressId"]):
                self._cluster.verdicts.stolen(f"{life} had {life.eip_id} and has {there}")
            elif (there[0]["Tags"] == TEAM) != (life.kind is Kind.LISTED):
                self._cluster.verdicts.stolen(f"{life} has what it did not ask for, {there}")
            else:
                life.eip_id = there[0]["AddressId"]

    def _judge_fixed(self, running, enis):
        at = {ip: eni["instance_id"] for eni in enis for ip in eni["addresses"]}
        names = {ip: name for name, ip in dict(self._cluster.fixed_ips).items()}
        for life, network in running.items():
            if life.kind.is_fixed and at.get(network.ip) != life.node.instance_id:
                where = at.get(network.ip) or "nobody"
                self._cluster.verdicts.stolen(f"{life} has lost its address, which {where} has")
            if names.get(network.ip, life.name) != life.name:
                self._cluster.verdicts.stolen(f"{life} has the fixed address of {names[network.ip]}")

    def _named_enis(self):
        """By the UID of a VpcIPClaim the ENI that its status names."""
        claims = self._cluster.around.vpc_ip_claims().values()
        said = {c["metadata"]["uid"]: c.get("status", {}).get("address", {}).get("eniID") for c in claims}
        return {uid: eni for uid, eni in said.items() if eni}

    def _judge_moving(self, named, enis, eips):
        """Judge by what the claims named before the look at the cloud."""
        tagged = {eni["eni_id"]: eni["tags"].get(tags.VPC_IP_CLAIM_UID) for eni in enis}
        at = {e["AddressId"]: e["NetworkInterfaceId"] for e in eips if e["AddressStatus"] in BOUND}
        lost, left = [], []
        with self._guard:
            for uid, eni in named.items():
                self._enis.setdefault(uid, eni)
            for uid, eni in self._enis.items():
                kept = tagged.get(eni) == uid and named.get(uid, eni) == eni
                if uid not in self._over and not kept:
                    lost.append(f"claim {uid} has lost {eni}; it names {named.get(uid)}")
            kept = {eni for uid, eni in self._enis.items() if uid not in self._over}
            for eip, eni in at.items():
                if eni in kept and eip not in self._loose:
                    self._stay.setdefault(eip, eni)
            for eip, eni in self._stay.items():
                if at.get(eip) != eni:
                    left.append(f"{eip} has left {eni}, which moves, for {at.get(eip)}")
        for what in (*lost, *left):
            self._cluster.verdicts.stolen(what)

    def _judge_claims(self, eips):
        of_claim = collections.defaultdict(list)
        for eip in eips:
            uid = eip["Tags"].get("tke-eipclaim-uid")
            if uid and eip["AddressStatus"] != "OFFLINING":
                of_claim[uid].append(eip["AddressId"])
        for uid, ids in of_claim.items():
            if len(ids) > 1:
                self._cluster.verdicts.duplicate(f"claim {uid} has {ids}")
        users = {e["AddressId"] for e in eips if e["Tags"] == TEAM and e["AddressStatus"] != "OFFLINING"}
        for eip_id in set(self._cluster.around.users_eips) - users:
            self._cluster.verdicts.stolen(f"{eip_id}, which is a user's, is gone")

    def _judge_ledgers(self):
        for node in list(self._cluster.nodes):
            agent = node.agent
            if agent is not None:
                for sentence in ledger.violations(agent.ledger.current):
                    self._cluster.verdicts.duplicate(f"node {node.name}: {sentence}")


def _waits_for_another(life, there):
    """Whether a person has taken a Pod's EIP away, and the next one has not come yet."""
    ids = {eip["AddressId"] for eip in there if eip["AddressStatus"] in BOUND}
    return bool(life.lost_eip) and (not ids or life.lost_eip in ids)
