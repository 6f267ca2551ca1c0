"""VpcIPClaims and VpcIPs as our code writes them, stored whole by a real API server with their CRDs."""

import itertools
import json
import time

import pytest

from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.vpc_ip import status, vpcip, vpcipclaim
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder
from ipamd.kube import errors
from ipamd.kube.resources import VPCIPCLAIMS, VPCIPS
from tests.testkit.eventually import eventually
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, BINDING, EXCLUSIVE, KEPT, OWN_ENI

NOW = time.time()
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def client(cluster):
    cluster.apply("crd-vpcipclaim.yaml", "crd-vpcip.yaml")
    for plural in ("vpcipclaims", "vpcips"):
        name = f"crd/{plural}.networking.tke.cloud.tencent.com"
        cluster.kubectl("wait", "--for=condition=Established", name)
    client = cluster.client(cluster.token("tke-eni-ipamd"))
    yield client
    client.close()


@pytest.fixture
def writer(client):
    return VpcIpWriter(client)


def lines_of(client, claim):
    found = client.list(VPCIPS, label_selector=f"{vpcip.CLAIM_UID}={claim.uid}").items
    return [vpcip.read(obj) for obj in found]


def created(writer, request=KEPT):
    return writer.create(pod_view(name=f"web-{next(_numbers)}", nodeName="node-a"), request)


@pytest.mark.parametrize(
    "request_",
    [
        KEPT,
        EXCLUSIVE,
        VpcIpRequest(delete_policy=VpcIpPolicy.IMMEDIATE, nominated_ip="10.0.3.7"),
        VpcIpRequest(
            delete_policy=VpcIpPolicy.NEVER,
            expire_after=5400.0,
            nominated_ip="10.0.3.7",
            subnet_ids=("subnet-bbbbbbbb", "subnet-aaaaaaaa"),
        ),
    ],
    ids=str,
)
def test_every_wish_is_stored_as_it_was_written(writer, request_):
    claim = created(writer, request_)

    assert claim.request == request_
    assert claim.held
    assert writer.read("default", claim.name) == claim


def test_a_status_goes_through_all_that_is_written_into_it(writer, client):
    claim = created(writer)
    order = AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", ip="10.0.3.7", started=float(int(NOW)))
    claim = writer.write_status(claim, status.begin_order(claim, order))
    assert claim.allocation == order
    claim = writer.write_status(claim, status.provisioned(claim, ADDRESS, VpcIpReason.RESERVED, "r", NOW))
    claim = writer.write_status(claim, status.serve(claim, ClaimPod(uid="u1", node="node-a")))
    claim = writer.write_status(claim, status.assigning(claim, BINDING, NOW))
    claim = writer.write_status(claim, status.assigned(claim, BINDING, NOW))
    assert (claim.address, claim.binding, claim.assigned_ip) == (ADDRESS, BINDING, "10.0.3.7")
    line = writer.enter(claim, ADDRESS)
    writer.sync(line, claim)
    [line] = lines_of(client, claim)
    claim = writer.write_status(claim, status.address_in_use(claim, "somebody", NOW))
    claim = writer.write_status(claim, status.refuse_address(claim, "somebody", NOW))
    assert (claim.address, claim.refused_ips) == (None, ("10.0.3.7",))
    writer.strike(line)
    assert lines_of(client, claim) == []


def test_only_one_claim_gets_the_line_of_an_address(writer, client):
    first, second = created(writer), created(writer)

    assert writer.enter(first, ADDRESS).claim_uid == first.uid
    line = writer.enter(second, ADDRESS)
    assert line.claim_uid == first.uid

    client.delete(VPCIPS, line.ip)
    assert writer.enter(second, ADDRESS).deleting
    writer.strike(line)
    assert writer.enter(second, ADDRESS).claim_uid == second.uid
    writer.strike(writer.enter(second, ADDRESS))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"deletePolicy": "Delete"}, "spec.deletePolicy"),
        ({"type": "ENI"}, "spec.type"),
        ({"nominatedIP": "10.0.3"}, "spec.nominatedIP"),
        ({"subnetIDs": []}, "spec.subnetIDs"),
        ({"subnetIDs": ["10.0.0.0/16"]}, "spec.subnetIDs"),
        ({"expireAfter": "soon"}, "spec.expireAfter"),
        ({"network": "flannel"}, "spec.network"),
    ],
    ids=str,
)
def test_a_wrong_spec_is_refused_by_its_field(client, spec, words):
    body = {"metadata": {"namespace": "default", "name": f"bad-{next(_numbers)}"}, "spec": spec}

    with pytest.raises(errors.InvalidObjectError, match=words):
        client.create(VPCIPCLAIMS, body)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nominatedIP": "10.0.3.8"}, "nominatedIP cannot be changed"),
        ({"nominatedIP": None}, "nominatedIP cannot be changed"),
        ({"subnetIDs": ["subnet-cccccccc"]}, "subnetIDs cannot be changed"),
        ({"expireAfter": "1m"}, "the shortest time is 5m"),
        ({"network": "tke-direct-eni"}, "network cannot be changed"),
    ],
    ids=str,
)
def test_what_the_address_is_cannot_be_changed(cluster, writer, client, change, words):
    if cluster.minor < 25:
        pytest.skip("this API server knows no rules")
    request = VpcIpRequest(
        delete_policy=VpcIpPolicy.NEVER, nominated_ip="10.0.3.7", subnet_ids=("subnet-aaaaaaaa",)
    )
    claim = created(writer, request)

    with pytest.raises(errors.InvalidObjectError, match=words):
        client.patch(VPCIPCLAIMS, claim.name, {"spec": change}, "default")
    changes = {"deletePolicy": "Immediate", "network": "tke-route-eni"}  # what its absence says
    client.patch(VPCIPCLAIMS, claim.name, {"spec": changes}, "default")


@pytest.mark.parametrize("network", [None, "tke-route-eni"])
def test_an_eni_of_its_own_is_not_given_up_for_the_shared_network(cluster, writer, client, network):
    if cluster.minor < 25:
        pytest.skip("this API server knows no rules")
    claim = created(writer, EXCLUSIVE)

    with pytest.raises(errors.InvalidObjectError, match="network cannot be changed"):
        client.patch(VPCIPCLAIMS, claim.name, {"spec": {"network": network}}, "default")


def test_an_eni_of_its_own_is_kept_whole(writer):
    claim = created(writer, EXCLUSIVE)

    claim = writer.write_status(claim, status.provisioned(claim, OWN_ENI, VpcIpReason.RESERVED, "r", NOW))

    assert claim.exclusive
    assert claim.address == OWN_ENI


def test_a_claim_that_a_person_makes_remembers_its_network_by_the_hand_that_holds_it(writer, client):
    name = f"by-hand-{next(_numbers)}"
    body = {"metadata": {"namespace": "default", "name": name}, "spec": {"network": "tke-direct-eni"}}
    client.create(VPCIPCLAIMS, body)

    held = writer.hold(writer.read("default", name))

    assert held.held
    annotations = client.get(VPCIPCLAIMS, name, "default")["metadata"]["annotations"]
    assert annotations[vpcipclaim.NETWORK] == "tke-direct-eni"


@pytest.fixture
def older_crd(cluster):
    """The kind as a release before this one defined it, for as long as the test runs."""
    name = "crd/vpcipclaims.networking.tke.cloud.tencent.com"
    crd = json.loads(cluster.kubectl("get", name, "--output=json"))
    (version,) = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["network"]
    rules = spec["x-kubernetes-validations"]
    spec["x-kubernetes-validations"] = [rule for rule in rules if "network" not in rule["rule"]]
    version["additionalPrinterColumns"] = [
        column for column in version["additionalPrinterColumns"] if column["name"] != "NETWORK"
    ]
    patch = json.dumps({"spec": {"versions": [version]}})
    cluster.kubectl("patch", name, "--type=merge", f"--patch={patch}")
    yield
    cluster.apply("crd-vpcipclaim.yaml")


def test_an_older_kind_that_drops_the_network_makes_no_claim_of_the_other_one(writer, client, older_crd):
    def network_is_dropped():
        name = created(writer, EXCLUSIVE).name
        return "network" not in client.get(VPCIPCLAIMS, name, "default")["spec"] and name

    claim = writer.read("default", eventually(network_is_dropped))

    assert claim.exclusive
    assert claim.request is None
    assert "spec.network is not tke-direct-eni" in claim.problem


def test_a_line_of_the_book_cannot_be_given_to_another_claim(cluster, writer, client):
    if cluster.minor < 25:
        pytest.skip("this API server knows no rules")
    line = writer.enter(created(writer), ADDRESS)
    other = created(writer)

    with pytest.raises(errors.InvalidObjectError, match="stays its claim's"):
        client.patch(VPCIPS, line.ip, {"spec": {"claimRef": {"name": other.name, "uid": other.uid}}})
