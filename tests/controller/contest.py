"""Names that want EIPs of a modelled cluster and cloud, leaders that replace each other, and chance.

The controller's own code runs. A leader may be overtaken at any of its calls: another replica leads and
works, and only then does the call arrive. Whoever does not lead any more begins no write.
"""

import random
from contextlib import suppress

from ipamd.core.claim import eipclaim
from ipamd.core.cloud_errors.error import CloudError
from ipamd.kube.errors import KubeError
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.resources import EIPCLAIMS, PODS
from tests.controller.model import ModelApi, ModelCloud, Wire
from tests.controller.term import Recorder, Term


class Contest:
    """Five names on one node; what they want is up to the test."""

    names = ("x", "y", "z", "v", "w")

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.recorder = Recorder()
        self.wire = Wire()
        self.api = ModelApi(self.wire)
        self.cloud = ModelCloud(self.wire)
        self.api.put_node("node-a")
        self.leader = Term(self)

    def clock(self):
        return 1_700_000_000.0

    def work(self, name=""):
        with suppress(KubeError, CloudError, NotLeaderError):
            self.leader.reconciler.reconcile(("default", name or self.random.choice(self.names)))

    def interrupted(self, fate):
        """Have the leader work; one of its first calls has this fate, unless there are fewer."""
        self.wire.plan = ["ok"] * self.random.randrange(12) + [fate]
        try:
            self.work()
        finally:
            self.wire.plan = []

    def another_leads(self):
        self.leader = Term(self)

    def the_leader_works(self):
        if self.random.random() < 0.7:
            self.api.refresh()
        self.work()

    def the_leader_is_overtaken(self):
        def overtaken():
            rest, self.wire.plan = self.wire.plan, []
            self.another_leads()
            for _ in range(self.random.randrange(1, 8)):
                self.the_leader_works()
            self.wire.plan = rest

        self.interrupted(overtaken)

    def a_pod_goes(self):
        self.api.remove(PODS, self.random.choice(self.names))

    def a_person_deletes_a_claim(self):
        name = self.random.choice(self.names)
        if ("EIPClaim", name) in self.api.objects:
            self.api.mark_deleted(EIPCLAIMS, name)

    def claims(self):
        return [eipclaim.read(obj) for (kind, _), obj in self.api.objects.items() if kind == "EIPClaim"]

    def held(self):
        """Who has which EIP."""
        return {claim.name: claim.address.eip_id for claim in self.claims() if claim.address}
