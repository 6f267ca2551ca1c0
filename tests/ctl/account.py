"""An account with what clusters and people have left in it, and the commands that an operator types."""

import time

from ipamd.cloud import endpoints
from ipamd.cloud.credentials import Credential, StaticCredentials
from ipamd.cloud.session import SessionPolicy
from ipamd.cloud.tencent import TencentCloud
from ipamd.cloud.throttling import Limiter
from ipamd.core import model, tags
from ipamd.core.timing.deadline import Deadline
from ipamd.ctl.__main__ import main
from simulator.cloud import InstanceOrder

CLUSTER = "cls-gone"


class Account:
    """A region with what clusters and people have left in it, and the command that an operator types."""

    def __init__(self, region, url):
        self.region = region
        self.url = url
        conduct = SessionPolicy()
        self.cloud = TencentCloud(
            region="ap-guangzhou",
            credentials=StaticCredentials(Credential(secret_id="AKIDdemo", secret_key="demo-secret-key")),
            endpoints=endpoints.parse(url),
            conduct=conduct,
            limiter=Limiter(clock=conduct.clock, share=1.0),
        )
        self._orders = 0

    def allocate(self, wanted=None):
        self._orders += 1
        wanted = tags.of_claim(CLUSTER, f"uid-{self._orders}") if wanted is None else wanted
        eip_id = self.cloud.allocate_eip(
            model.EipOrder(bandwidth_mbps=1), wanted, f"order-{self._orders}"
        ).eip_id
        assert self.region.wait_idle(60)
        return eip_id

    def eni(self, tags=None):
        """An ENI with 4 secondary addresses on a CVM that takes 10 public IPs."""
        instance = self.region.create_instance(InstanceOrder(instance_type="S5.16XLARGE256"))
        assert self.region.wait_idle(60)
        node = self.cloud.describe_instance(instance.instance_id)
        request = model.EniRequest(
            instance_id=node.instance_id,
            vpc_id=node.vpc_id,
            subnet_id=node.subnet_id,
            security_groups=(),
            secondary_ips=4,
            tags=tags or {},
        )
        token = f"token-{node.instance_id}"
        return self.cloud.create_and_attach_eni(request, token, Deadline.after(20, time.monotonic))

    def bind(self, eip_id, eni, number=0):
        ip = [address.ip for address in eni.addresses if not address.primary][number]
        self.cloud.associate_eip(eip_id, eni.eni_id, ip)
        assert self.region.wait_idle(60)

    def left(self):
        assert self.region.wait_idle(60)
        return set(self.region.snapshot()["addresses"])

    def status(self, eip_id):
        return self.region.snapshot()["addresses"][eip_id]["status"].value

    def writes(self):
        return [entry.action for entry in self.region.audit.writes()]

    def cleanup(self, *arguments):
        return main(
            [
                "eip",
                "cleanup",
                f"--cluster-id={CLUSTER}",
                "--region=ap-guangzhou",
                f"--cloud-endpoint={self.url}",
                "--wait=20s",
                *arguments,
            ]
        )
