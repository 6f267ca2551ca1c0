"""What is found in what the agent knows of the cloud; nobody is asked for it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.findings.cloud import CloudFindings
from ipamd.agent.pool.obstacle import NodeDisabledError, NodeFullError
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.ledger.ledger import Ledger
from tests.runtime.manual_clock import ManualClock
from tests.testkit.addresses import of_pod

OWNED = of_pod("10.0.1.5")


def refused(code):
    return cloud_error("AssignPrivateIpAddresses", code, "no", "r-1")


def found(address=OWNED, *, enis=(), whole=(), refusals=(), obstacle=None, errors=None, loose=None):
    pool = SimpleNamespace(obstacle=lambda: obstacle, refusals=lambda: list(refusals))
    known = SimpleNamespace(
        enis={eni.eni_id: eni for eni in enis},
        exclusive=SimpleNamespace(enis={eni.eni_id: eni for eni in whole}),
    )
    ledger = Ledger.of([address])
    looked = CloudFindings(
        shared_ledger=SharedLedger(None, ledger, clock=ManualClock().now),
        enis=known,
        pool=pool,
        claims=SimpleNamespace(all=list),
        eip_reconciler=SimpleNamespace(errors=lambda: errors or {}),
        loose_eips=lambda: loose or {},
    ).look()
    return [(finding.code, finding.subject, finding.pods) for finding in looked]


def eni(problem, *, is_broken=False, eni_id="eni-1"):
    return SimpleNamespace(eni_id=eni_id, problem=problem, is_broken=is_broken)


MINE = ("default/web-0",)


def test_nothing_is_found_where_all_is_well():
    assert found(enis=[eni("")], whole=[SimpleNamespace(eni_id="eni-1", is_listed=True)]) == []


@pytest.mark.parametrize(
    ("is_broken", "code"), [(True, FindingCode.ENI_BROKEN), (False, FindingCode.ENI_MISSING)]
)
def test_an_eni_with_a_problem_is_named_with_its_pods(is_broken, code):
    assert found(enis=[eni("gone", is_broken=is_broken)]) == [(code, "eni/eni-1", MINE)]
    assert found(enis=[eni("gone", is_broken=is_broken, eni_id="eni-2")]) == [(code, "eni/eni-2", ())]


@pytest.mark.parametrize(
    ("eni_id", "is_listed", "count"), [("eni-1", False, 1), ("eni-1", True, 0), ("eni-2", False, 0)]
)
def test_an_eni_of_a_single_pod_is_missing_only_if_it_has_one(eni_id, is_listed, count):
    whole = SimpleNamespace(eni_id=eni_id, is_listed=is_listed)

    assert found(whole=[whole]) == [(FindingCode.ENI_MISSING, "eni/eni-1", MINE)] * count


def test_an_address_that_the_vpc_does_not_list_is_its_pod_s():
    lost = replace(OWNED, missing_since=1.0)

    assert found(lost) == [(FindingCode.ADDRESS_MISSING, "pod/default/web-0", MINE)]


@pytest.mark.parametrize(
    ("code", "count"),
    [("UnauthorizedOperation", 1), ("LimitExceeded", 1), ("RequestLimitExceeded", 0), ("InternalError", 0)],
)
def test_a_refusal_counts_if_somebody_has_to_act_or_something_to_come_free(code, count):
    assert len(found(refusals=[refused(code)])) == count


def test_a_failure_that_is_none_of_the_cloud_s_is_no_refusal():
    assert found(refusals=[TryAgainError("later")]) == []


@pytest.mark.parametrize(
    ("obstacle", "code"),
    [(NodeFullError("full"), FindingCode.NODE_FULL), (NodeDisabledError("off"), FindingCode.NODE_DISABLED)],
)
def test_a_node_that_gives_no_addresses_says_why(obstacle, code):
    assert found(obstacle=obstacle) == [(code, "node/addresses", ())]
    assert found(obstacle=TryAgainError("soon")) == []
