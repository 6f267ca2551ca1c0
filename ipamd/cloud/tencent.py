"""The cloud as the rest of the product knows it: all actions of one region under one identity."""

from typing import Self

from ipamd.cloud.accounts import AccountCalls
from ipamd.cloud.credentials import Credentials
from ipamd.cloud.eip_binding import EipBinding
from ipamd.cloud.eip_changes import EipChangeCalls
from ipamd.cloud.endpoints import Endpoints
from ipamd.cloud.eni_attachment import EniAttachment
from ipamd.cloud.eni_creation import EniCreation
from ipamd.cloud.inhibition import Inhibitor
from ipamd.cloud.instances import InstanceCalls
from ipamd.cloud.ip_assignment import IpAssignment
from ipamd.cloud.reservations import ReservationCalls
from ipamd.cloud.security_groups import SecurityGroupCalls
from ipamd.cloud.session import Session, SessionPolicy
from ipamd.cloud.subnets import SubnetCalls
from ipamd.cloud.tasks import TaskCalls
from ipamd.cloud.throttling import Limiter
from ipamd.runtime.reachability import Reachability


class TencentCloud(
    AccountCalls,
    EipBinding,
    EipChangeCalls,
    EniAttachment,
    EniCreation,
    InstanceCalls,
    IpAssignment,
    ReservationCalls,
    SecurityGroupCalls,
    SubnetCalls,
    TaskCalls,
):
    """The actions of all groups; each is documented in its group's module.

    Every method raises CloudError and nothing else for what goes wrong outside this process. Thread safety:
    share one object among all threads; calls run in parallel.
    """

    def __init__(
        self,
        *,
        region: str,
        credentials: Credentials,
        endpoints: Endpoints | None = None,
        limiter: Limiter | None = None,
        inhibitor: Inhibitor | None = None,
        conduct: SessionPolicy | None = None,
    ) -> None:
        """Take the region (ap-guangzhou) and the identity; opens no connection."""
        conduct = conduct or SessionPolicy()
        super().__init__(
            Session(
                region=region,
                credentials=credentials,
                endpoints=endpoints or Endpoints(),
                limiter=limiter or Limiter(clock=conduct.clock),
                inhibitor=inhibitor or Inhibitor(clock=conduct.clock),
                conduct=conduct,
            )
        )

    def answered_at(self) -> float | None:
        """Return when a call succeeded the last time, by the monotonic clock; None for never."""
        return self.reachability.answered_at

    @property
    def reachability(self) -> Reachability:
        """Whether the cloud answers."""
        return self._session.reachability

    def close(self) -> None:
        """Close pooled connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
