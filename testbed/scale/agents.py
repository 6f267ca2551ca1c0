"""The agents of nodes whose Pods go: they unbind EIPs as the real ones do, each by its own share of rates.

Stand-ins: they call the cloud and write the claim through the product's own adapters, and have no node.
"""

import threading
import time
from collections import Counter

from ipamd.cloud import endpoints
from ipamd.cloud.credentials import Credential, StaticCredentials
from ipamd.cloud.polling import EipWatch
from ipamd.cloud.session import SessionPolicy
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.claim import eipclaim, status
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import TryAgainError
from ipamd.core.model import EipStatus
from ipamd.core.timing.deadline import Deadline
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.resources import EIPCLAIMS
from testbed.scale.load import NAMESPACE
from testbed.scale.surroundings import Surroundings

COMPONENT = "tke-eni-agent"
_LOOK_SECONDS = 0.05
"""A watch would tell as soon."""
_ATTEMPT_SECONDS = 120.0
_PAUSE = 1.0
_KEYS = StaticCredentials(Credential(secret_id="AKIDdemo", secret_key="demo-secret-key"))


class DepartingAgents:
    """One agent for each of the claims, on a thread of its own; `calls` is what they ask of the account."""

    def __init__(self, around: Surroundings, names: list[str]) -> None:
        """Take the claims whose EIPs they have bound."""
        self._around = around
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.calls: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._serve, args=(name,), name=f"agent-{name}", daemon=True)
            for name in names
        ]

    def start(self) -> None:
        """Begin to look at the claims."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; an attempt under way is waited for."""
        self._stopping.set()
        self.wait()

    def wait(self) -> None:
        """Wait until all have unbound."""
        for thread in self._threads:
            thread.join(_ATTEMPT_SECONDS)

    def _serve(self, name: str) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            obj = self._around.claim(name)
            if obj is None:
                return
            if obj["metadata"].get("deletionTimestamp"):
                self._unbind(name)
                return

    def _unbind(self, name: str) -> None:
        client = KubeClient(Connection(server=self._around.kube_url), component=COMPONENT)
        conduct = SessionPolicy(observe=self._count)
        with (
            TencentCloud(
                region="ap-guangzhou",
                credentials=_KEYS,
                endpoints=endpoints.parse(self._around.cloud_url),
                conduct=conduct,
            ) as cloud,
            EipWatch(cloud) as watch,
        ):
            while not self._stopping.is_set():
                try:
                    claim = eipclaim.read(client.get(EIPCLAIMS, name, NAMESPACE))
                    _unbind_now(claim, cloud, watch)
                    patch = status.unbound(claim, Reason.UNBOUND, "the Pod is gone", time.time())
                    client.patch(EIPCLAIMS, name, patch, NAMESPACE, subresource="status")
                    break
                except (CloudError, TryAgainError, errors.KubeError):
                    self._stopping.wait(_PAUSE)
        client.close()

    def _count(self, action: str, code: str, seconds: float) -> None:
        del code, seconds
        with self._lock:
            self.calls[action] += 1


def _unbind_now(claim: Claim, cloud: TencentCloud, watch: EipWatch) -> None:
    """Look, unbind, and wait until the cloud shows it, in the manner of `ipamd.agent.eips.disassociate`."""
    if claim.address is None:
        return
    deadline = Deadline.after(_ATTEMPT_SECONDS, time.monotonic)
    eip = cloud.describe_eip(claim.address.eip_id, deadline)
    if eip is not None and eip.bound:
        cloud.disassociate_eip(eip.eip_id, deadline)
        watch.wait_until(
            eip.eip_id, lambda shown: shown is None or shown.status is EipStatus.UNBIND, deadline
        )
