"""Many claims that wait for an EIP of one pool: what each of their refusals costs, and who is served."""

import random

import pytest

from ipamd.core.claim import eipclaim
from ipamd.core.kubernetes.annotation_names import EIP_POOL
from ipamd.core.model import Eip, EipStatus
from ipamd.kube.resources import EIPPOOLS, PODS
from tests.controller.model import ModelApi, ModelCloud, Wire
from tests.controller.term import Recorder, Term

EIP = "eip-aaaaaaaa"
NAMES = [f"web-{letter}" for letter in "abcdefghij"]


class CountingApi(ModelApi):
    """Counts how often the whole line was gone through."""

    lines = 0

    def line(self, pool):
        self.lines += 1
        return super().line(pool)


class CrowdedPool:
    """One EIP, and ten Pods that want it; the first has it, and the others have been refused."""

    def __init__(self):
        self.random = random.Random(1)
        self.recorder = Recorder()
        wire = Wire()
        self.api = CountingApi(wire)
        self.cloud = ModelCloud(wire)
        self.cloud.eips[EIP] = Eip(eip_id=EIP, public_ip="198.18.0.1", status=EipStatus.UNBIND)
        self.now = 1_700_000_000.0
        self.api.put_node("node-a")
        self.api.put(EIPPOOLS, {"metadata": {"name": "web"}, "spec": {"addressIDs": [EIP]}})
        self.leader = Term(self)
        for name in NAMES:
            self.api.put_pod("node-a", name=name, wish={EIP_POOL: "web"}, never=False)
            self.work(name)
        self.all_ask()

    def clock(self):
        return self.now

    def work(self, name):
        self.api.refresh()
        self.leader.reconciler.reconcile(("default", name))

    def all_ask(self):
        for name in NAMES:
            self.work(name)

    def claim(self, name):
        return eipclaim.read(self.api.objects["EIPClaim", name])

    def message(self, name):
        return eipclaim.condition(self.claim(name).conditions, "Provisioned")["message"]


@pytest.fixture
def crowd():
    return CrowdedPool()


def test_those_who_ask_together_have_the_line_gone_through_once(crowd):
    crowd.now += 2.0
    before = crowd.api.lines
    crowd.all_ask()
    assert crowd.api.lines - before == 1
    assert crowd.message("web-j").startswith("place 9 of 9 in the line for EIPPool web")


def test_the_place_is_told_anew_a_second_later(crowd):
    crowd.api.remove(PODS, "web-b")
    crowd.now += 2.0
    crowd.all_ask()
    assert crowd.message("web-j").startswith("place 8 of 8 ")


def test_the_first_of_the_line_has_the_eip_when_the_pool_has_seen_that_it_is_free(crowd):
    crowd.api.remove(PODS, "web-a")
    crowd.work("web-a")
    crowd.work("web-a")
    crowd.leader.pools.reconcile(("", "web"))
    for name in reversed(NAMES[1:]):
        crowd.work(name)
    held = [name for name in NAMES[1:] if crowd.claim(name).address]
    assert held == ["web-b"]
