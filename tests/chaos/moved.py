"""A Pod with a fixed private address and an EIP that goes from node to node, with what is kept for it."""

import json

from testbed.probes import SourceReporter, seen_source
from tests.chaos.pod_lives import Kind
from tests.testkit.eventually import comes_about


class Moved:
    """One name, wherever its Pod is, with what is kept for it."""

    def __init__(self, cluster, kind):
        self.cluster = cluster
        before = set(cluster.living())
        cluster.pods_come(kind, 0, 1)
        (self.life,) = set(cluster.living()) - before
        self.name = self.life.name
        self.await_told()
        self.read_kept()

    def read_kept(self):
        """Note what the claims have now."""
        self.ip, self.eip_id = self.life.running.ip, self.life.eip_id
        self.public_ip = self.cluster.around.claims()[self.name]["status"]["address"]["ip"]
        self.eni_id = self.vpc_ip_claim()["status"]["address"].get("eniID", "")

    def vpc_ip_claim(self):
        return self.cluster.around.vpc_ip_claims()[self.name]

    def await_told(self):
        """Wait until the Pod runs and both claims say so; who moves on before has more to do."""
        assert comes_about(self._is_told, 40.0), self.life

    def _is_told(self):
        claims = self.cluster.around.claims(), self.cluster.around.vpc_ip_claims()
        of_name = [claim.get(self.life.name, {}).get("status", {}) for claim in claims]
        bound = [status.get("phase") == "Bound" for status in of_name]
        uids = [status.get("binding", {}).get("podUID") for status in of_name]
        return all(bound) and set(uids) == {self.life.pod["metadata"]["uid"]} and bool(self.life.eip_id)

    def goes_to(self, number):
        """Replace the Pod by one on a node; return what the cloud was asked for what is kept."""
        before = len(self.writes())
        self.leaves_for(number)
        self.arrives()
        return self.writes()[before:]

    def leaves_for(self, number):
        """Replace the Pod by one on a node, which does not run yet."""
        assert self.cluster.replace(self.life, self.cluster.nodes[number], forced=False)
        self.life = self.cluster.lives[self.name]

    def arrives(self):
        """Wait until the Pod runs, and the claims say so."""
        assert comes_about(lambda: self.life.running is not None, 40.0), self.life
        self.cluster.watchman.look()
        self.await_told()

    def writes(self):
        """The cloud's writes that name what is kept, oldest first."""
        rows = self.cluster.around.writes()
        named = [(row["action"], json.dumps(row["params"])) for row in rows]
        kept = [f'"{one}"' for one in (self.ip, self.eip_id, self.eni_id) if one]
        return [action for action, text in named if any(one in text for one in kept)]

    def ends(self):
        self.life.end()
        assert self.life.ended.wait(30)

    def check_world(self):
        """Outside sees the Pod as its EIP and reaches it by that; in the VPC it has its own address."""
        internet, host = self.cluster.around.internet
        inside = self.life.sandbox.netns
        with SourceReporter(internet, port=8081):
            assert seen_source(inside, host, port=8081) == self.public_ip
        with SourceReporter(inside):
            assert seen_source(internet, self.public_ip) == host
        self.cluster.pods_come(Kind.PLAIN, 0, 1)
        neighbour = next(life for life in self.cluster.living() if life.kind is Kind.PLAIN)
        assert comes_about(lambda: neighbour.running is not None, 30.0)
        with SourceReporter(neighbour.sandbox.netns):
            assert seen_source(inside, neighbour.running.ip) == self.ip
        with SourceReporter(inside):
            assert seen_source(neighbour.sandbox.netns, self.ip) == neighbour.running.ip
        neighbour.end()
        assert neighbour.ended.wait(30)
