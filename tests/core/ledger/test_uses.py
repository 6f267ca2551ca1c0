"""What an address is doing: quarantine before everything else, and every state has a word."""

from dataclasses import replace

import pytest

from ipamd.core.ledger.states import (
    Address,
    Assigned,
    Binding,
    BindStage,
    Cooling,
    Held,
    Occupied,
    Unassigning,
    Unbinding,
    Warm,
)
from ipamd.core.ledger.uses import use_of
from ipamd.core.model import SandboxKey
from tests.testkit.pods import pod_ref

POD = pod_ref()
KEY = SandboxKey(container_id="c1", ifname="eth0")
END = {"host_interface": "eni1", "host_mac": "0a:e2:00:00:00:01"}
FREE = Address(ip="10.0.1.7", eni_id="eni-1", state=Warm(since=1.0), added_at=0.0)
EIP = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=BindStage.UNBINDING)


@pytest.mark.parametrize(
    ("state", "word", "pod", "since", "until", "why"),
    [
        (Warm(since=1.0), "free", "", 1.0, None, ""),
        (Assigned(key=KEY, pod=POD, since=2.0, **END), "pod", "default/web-0", 2.0, None, ""),
        (
            Held(key=KEY, pod=POD, until=9.0, by_name=True),
            "held",
            "default/web-0",
            None,
            9.0,
            "kept for the next Pod of this name",
        ),
        (Cooling(until=8.0), "cooling", "", None, 8.0, "remote peers may still send to its last Pod"),
        (Unassigning(since=3.0), "returning", "", 3.0, None, ""),
        (
            Occupied(pod=None, since=4.0, **END),
            "occupied",
            "",
            4.0,
            None,
            "found in the kernel after the store was lost",
        ),
    ],
)
def test_each_state_has_a_word_and_its_times(state, word, pod, since, until, why):
    use = use_of(replace(FREE, state=state))

    assert (use.word, use.pod, use.since, use.until, use.why) == (word, pod, since, until, why)


def test_what_waits_for_its_eip_names_it():
    assert use_of(replace(FREE, state=Unbinding(since=5.0), eip=EIP)).why == "eip-1 is being unbound"


def test_quarantine_is_told_first_with_its_pod():
    address = replace(FREE, state=Assigned(key=KEY, pod=POD, since=2.0, **END), missing_since=6.0)
    use = use_of(address)

    assert (use.word, use.pod, use.since) == ("quarantined", "default/web-0", 6.0)
    assert use.why.endswith("; it is pod")


def test_a_fixed_address_says_that_it_is_one():
    held = Held(key=KEY, pod=POD, until=9.0, by_name=True)
    coming = replace(held, key=replace(KEY, ifname=""))
    fixed = replace(FREE, state=held, fixed="claim-1")

    assert use_of(fixed).why == "kept for the next Pod of this name, whose fixed address it is"
    assert use_of(replace(fixed, state=coming, missing_since=6.0)).word == "assigning"
    assert use_of(replace(fixed, missing_since=6.0)).word == "quarantined"
    assert "VpcIPClaim" in use_of(replace(fixed, state=Unassigning(since=3.0))).why
    assert "waits for its VpcIPClaim" in use_of(replace(fixed, state=Cooling(until=8.0))).why
