"""Whether the traffic of bound EIPs leaves by them."""

from ipamd.cloud.tencent import TencentCloud
from ipamd.controller.claims.build import Claims
from ipamd.controller.claims.ports import Ports
from ipamd.controller.egress.condition import EgressChecks
from ipamd.controller.egress.routes import EgressRoutes
from ipamd.runtime.service import Service


def build(claims: Claims, ports: Ports, cloud: TencentCloud, *, interval: float) -> Service:
    """Return the check of all bound claims, full each `interval` seconds."""
    loop = EgressChecks(EgressRoutes(cloud), ports, claims=claims.cluster.claims, interval=interval).loop
    claims.on_change(loop.trigger)
    return Service(name="egress", start=loop.start, stop=loop.stop)
