"""A node that starts with nothing but its metadata service: who it is, and calls signed by its CAM role."""

import pytest

from ipamd.cloud.credentials import RoleCredentials
from ipamd.cloud.metadata import Metadata
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from simulator.cloud import Fault, FaultKind, loopback_socket
from simulator.metadata import FAULT_ACTION, MetadataServer


@pytest.fixture
def metadata(region, node):
    with MetadataServer(region, [loopback_socket()], node) as server:
        yield Metadata(f"http://{server.endpoint}", timeout=0.5)


def test_metadata_and_api_describe_the_same_node(metadata, cloud, node, soon):
    (eni,) = cloud.describe_enis(node)
    ips = cloud.assign_ips(eni.eni_id, 2, "token", soon())
    assert metadata.instance_id() == node
    assert metadata.zone() == cloud.describe_instance(node).zone
    assert metadata.mac() == eni.mac
    (interface,) = metadata.interfaces()
    assert (interface.mac, interface.primary_ip) == (eni.mac, eni.primary_ip)
    assert (interface.vpc_id, interface.subnet_id) == (eni.vpc_id, eni.subnet_id)
    assert set(interface.local_ipv4s) == {eni.primary_ip, *ips}
    assert interface.gateway == "10.0.1.1"


def test_calls_are_signed_with_the_credential_of_the_role(metadata, open_cloud, api_url, region):
    role = RoleCredentials(metadata.credential)
    cloud = open_cloud(api_url, credentials=role)
    assert cloud.describe_eip_quota()
    region.accounts.set_policy("IPAMDofTKE_QCSRole", deny=("cvm:AllocateAddresses",))
    with pytest.raises(CloudError) as caught:
        cloud.allocate_eip(model.EipOrder(), {}, "token")
    assert caught.value.kind is CloudErrorKind.PERMISSION


@pytest.mark.parametrize("kind", [FaultKind.HTTP_500, FaultKind.TIMEOUT_BEFORE])
def test_without_an_answer_there_is_no_credential_and_then_there_is(
    metadata, open_cloud, api_url, region, kind
):
    region.faults.add(Fault(kind=kind, action=FAULT_ACTION, count=2))  # a call asks twice
    cloud = open_cloud(api_url, credentials=RoleCredentials(metadata.credential))
    with pytest.raises(CloudError, match="bind a CAM role") as caught:
        cloud.describe_eip_quota()
    assert caught.value.kind is CloudErrorKind.CREDENTIALS
    assert cloud.describe_eip_quota()
