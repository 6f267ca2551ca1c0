"""The whole round of a Pod with an EIP through our own adapter, on the same endpoint as the rest."""

import time
from collections.abc import Iterator

import pytest

from ipamd.cloud import endpoints
from ipamd.cloud.credentials import Credential, StaticCredentials
from ipamd.cloud.polling import EipWatch
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.model import EipStatus
from ipamd.core.timing.deadline import Deadline


@pytest.fixture
def cloud(endpoint) -> Iterator[TencentCloud]:
    key = Credential(secret_id=endpoint.secret_id, secret_key=endpoint.secret_key)
    with TencentCloud(
        region=endpoint.region,
        credentials=StaticCredentials(key),
        endpoints=endpoints.parse(f"{endpoint.protocol}://{endpoint.host}"),
    ) as cloud:
        yield cloud


def test_an_eni_an_address_and_an_eip_come_and_go(account, cloud, endpoint):
    def soon() -> Deadline:
        return Deadline.after(endpoint.seconds, time.monotonic)

    def has(*statuses):
        return lambda eip: eip is not None and eip.status in statuses

    instance = cloud.describe_instance(endpoint.instance_id)
    wanted = model.EniRequest(
        instance_id=instance.instance_id,
        vpc_id=instance.vpc_id,
        subnet_id=endpoint.subnet_id,
        security_groups=(),
        secondary_ips=0,
        tags={"tke-clusterId": "cls-contract"},
    )
    eni = cloud.create_and_attach_eni(wanted, account.token(), soon())
    account.eni_ids.append(eni.eni_id)
    (ip,) = cloud.assign_ips(eni.eni_id, 1, account.token(), soon())

    order = model.EipOrder(bandwidth_mbps=1)
    eip_id = cloud.allocate_eip(order, {"tke-clusterId": "cls-contract"}, account.token()).eip_id
    account.eip_ids.append(eip_id)
    with EipWatch(cloud) as watch:
        watch.wait_until(eip_id, has(EipStatus.UNBIND), soon())
        cloud.associate_eip(eip_id, eni.eni_id, ip)
        eip = watch.wait_until(eip_id, has(EipStatus.BIND, EipStatus.BIND_ENI), soon())
        assert eip is not None
        assert (eip.eni_id, eip.private_ip) == (eni.eni_id, ip)
        cloud.disassociate_eip(eip_id)
        watch.wait_until(eip_id, has(EipStatus.UNBIND), soon())
        cloud.release_eip(eip_id)
        assert watch.wait_until(eip_id, lambda eip: eip is None, soon()) is None

    cloud.unassign_ips(eni.eni_id, [ip], soon())
    cloud.detach_eni(eni.eni_id, instance.instance_id, soon())
    cloud.delete_eni(eni.eni_id, soon())
    assert cloud.find_enis({"tke-clusterId": "cls-contract"}) == []
    assert [e.eni_id for e in cloud.describe_enis(instance.instance_id) if e.eni_id == eni.eni_id] == []
