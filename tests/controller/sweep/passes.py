"""Passes over all claims and EIPs in tests: their terms, orphans for them, and waiting for them."""

import time

from ipamd.core import tags
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.model import EipOrder
from tests.controller.replica import CLUSTER

AGE = 1.5
"""Seconds; creation times of the cloud are whole ones."""


def terms(mode: SweepMode = SweepMode.RELEASE) -> SweepTerms:
    return SweepTerms(mode=mode, interval=0.1, age=AGE)


def orphan(world, controller, *, uid="a-claim-of-yesterday", cluster=CLUSTER, name="lost"):
    """An EIP whose claim is gone before it was released: somebody took the finalizer off."""
    marks = tags.of_claim(cluster, uid) if uid else tags.of_cluster(cluster)
    eip_id = controller.cloud.allocate_eip(EipOrder(), marks, f"token-{name}").eip_id
    world.wait_eip(eip_id, "UNBIND")
    return eip_id


def wait_passes(world, controller, more=3):
    """Wait until so many passes have begun and ended from now on."""
    target = controller.leader.sweep.counts.passes + more + 1
    world.wait(lambda: controller.leader.sweep.counts.passes >= target)


def wait_for_age(world):
    """Until an EIP that a pass has just seen for the first time is of age."""
    old = time.monotonic() + AGE + 1  # creation times are whole seconds
    world.wait(lambda: time.monotonic() > old)
