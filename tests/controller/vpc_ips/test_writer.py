"""What is written of claims and lines of fixed addresses, and what of others stays."""

from dataclasses import replace

import pytest

from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core.claim.eipclaim import NODE_LABEL
from ipamd.core.vpc_ip import vpcip, vpcipclaim
from ipamd.kube import errors
from ipamd.kube.resources import VPCIPCLAIMS, VPCIPS
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, BINDING, KEPT

THEIRS = "example.com/held"


@pytest.fixture
def writer(client):
    return VpcIpWriter(client)


def created(client, *finalizers):
    obj = vpcipclaim.new_object(pod_view(nodeName="node-a"), KEPT)
    obj["metadata"]["finalizers"] = list(finalizers)
    return vpcipclaim.read(client.create(VPCIPCLAIMS, obj))


def finalizers(client, resource, name, namespace=""):
    return client.get(resource, name, namespace)["metadata"].get("finalizers", [])


@pytest.mark.parametrize("before", [(), (THEIRS,)])
def test_our_finalizer_comes_and_goes_beside_those_of_others(client, writer, before):
    held = writer.hold(created(client, *before))
    assert finalizers(client, VPCIPCLAIMS, "web-0", "default") == [*before, vpcipclaim.FINALIZER]

    writer.let_go(held)

    assert finalizers(client, VPCIPCLAIMS, "web-0", "default") == [*before]


def test_a_claim_that_changed_since_it_was_read_is_not_written(client, writer):
    claim = created(client)
    writer.label(claim, "node-b")

    with pytest.raises(errors.ConflictError, match="has changed since it was read"):
        writer.hold(claim)


def test_the_node_label_is_set_and_taken_away(client, writer):
    claim = writer.label(created(client), "node-b")
    assert claim.node == "node-b"

    assert writer.label(claim, "").node == ""
    labels = client.get(VPCIPCLAIMS, "web-0", "default")["metadata"].get("labels", {})
    assert NODE_LABEL not in labels


def test_a_line_that_is_struck_goes_but_for_what_holds_it_besides_us(client, writer):
    line = writer.enter(created(client), ADDRESS)
    assert writer.enter(created_again(client), ADDRESS).claim_uid == line.claim_uid, "it is another's"
    client.patch(VPCIPS, line.ip, {"metadata": {"finalizers": [THEIRS, vpcip.FINALIZER]}})

    writer.strike(line)

    assert finalizers(client, VPCIPS, line.ip) == [THEIRS]
    client.patch(VPCIPS, line.ip, {"metadata": {"finalizers": None}})
    writer.strike(line)
    with pytest.raises(errors.NotFoundError):
        client.get(VPCIPS, line.ip)


def created_again(client):
    obj = vpcipclaim.new_object(pod_view(name="web-1", nodeName="node-a"), KEPT)
    return vpcipclaim.read(client.create(VPCIPCLAIMS, obj))


def bound(claim):
    return replace(claim, address=ADDRESS, binding=BINDING)


def test_a_line_is_brought_in_step_though_its_copy_is_behind(client, writer):
    claim = created(client)
    line = writer.enter(claim, ADDRESS)
    client.patch(VPCIPS, ADDRESS.ip, {"metadata": {"labels": {"team": "net"}}})

    writer.sync(line, bound(claim))

    assert client.get(VPCIPS, ADDRESS.ip)["status"] == vpcip.status_of(bound(claim))


def test_a_line_that_has_become_another_claim_s_is_left_alone(client, writer):
    claims = (created(client), created_again(client))
    for claim, other in (claims, claims[::-1]):
        line = writer.enter(claim, ADDRESS)
        writer.strike(line)
        before = writer.enter(other, ADDRESS)

        writer.sync(line, bound(claim))

        assert vpcip.read(client.get(VPCIPS, ADDRESS.ip)) == before
        writer.strike(before)
