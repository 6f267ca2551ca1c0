"""What the controller writes about fixed addresses, when its copy of an object is behind."""

import pytest

from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core.vpc_ip import vpcip
from ipamd.kube.resources import VPCIPS
from tests.controller.model import ModelApi, Wire
from tests.testkit.vpc_ips import ADDRESS, BINDING, fixed_claim

CLAIM = fixed_claim(address=ADDRESS)
ASSIGNED = fixed_claim(address=ADDRESS, binding=BINDING)


@pytest.fixture
def api():
    return ModelApi(Wire())


def book(api):
    return vpcip.read(api.get(VPCIPS, ADDRESS.ip))


def copy_that_is_behind(api, claim=CLAIM):
    """The line as a watch last told it: somebody has written to it since."""
    line = VpcIpWriter(api).enter(claim, ADDRESS)
    api.patch(VPCIPS, line.ip, {"metadata": {"resourceVersion": line.resource_version, "labels": {"a": "b"}}})
    return line


def test_a_line_is_brought_in_step_at_once_though_the_copy_of_it_is_behind(api):
    line = copy_that_is_behind(api)
    before = api.wire.calls

    VpcIpWriter(api).sync(line, ASSIGNED)

    assert book(api).status["phase"] == "Attaching"
    assert book(api).node == "node-a"
    assert api.wire.calls - before <= 6, "a conflict, a look, two writes; and the looks of this test"


def test_a_line_that_is_another_claims_by_now_is_left_alone(api):
    line = copy_that_is_behind(api)
    api.remove(VPCIPS, line.ip)
    other = fixed_claim(uid="claim-2", name="web-9", address=ADDRESS)
    VpcIpWriter(api).enter(other, ADDRESS)

    VpcIpWriter(api).sync(line, ASSIGNED)

    assert book(api).claim_uid == "claim-2"
    assert not book(api).status
