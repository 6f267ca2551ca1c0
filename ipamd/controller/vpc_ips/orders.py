"""What claims order of the cloud and give back, so that one order makes at most one reservation or ENI.

The order is written into the claim before the cloud is asked, its number makes the ClientToken, and what
comes of it carries the claim's UID as a tag. Only what is certain lets the claim forget the order.
Thread safety: any thread may call any method, for different claims.
"""

import logging
from dataclasses import replace
from typing import Final, Protocol

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.teller import VpcIpTeller
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core import model
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.failure_meanings import failures
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import status
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_STOPPED_PAUSE: Final = 10.0
"""Seconds between two looks at whether releases are allowed again."""


class SubnetCloud(Protocol):
    """What knows subnets: `TencentCloud`. Raises: CloudError."""

    def describe_subnets(self, subnet_ids: list[str], deadline: Deadline | None = None) -> list[model.Subnet]:
        """Return those of the subnets that exist."""


class AddressOrders:
    """Invariant: an order stands in its claim from before the cloud is asked until its end is certain."""

    def __init__(self, cloud: SubnetCloud, writer: VpcIpWriter, *, teller: VpcIpTeller, ports: Ports) -> None:
        self._cloud = cloud
        self._writer = writer
        self._teller = teller
        self._ports = ports

    def subnet(self, subnet_id: str, facts: VpcIpFacts) -> model.Subnet:
        """Return a subnet, which may be known already. Raises: CloudError (NOT_FOUND)."""
        known = (s for s in facts.subnets or () if s.subnet_id == subnet_id)
        found = next(known, None) or next(iter(self._cloud.describe_subnets([subnet_id])), None)
        if found is None:
            raise cloud_error("DescribeSubnets", "ClientNotFound", f"there is no subnet {subnet_id}")
        return found

    def begin(self, action: do.Reserve | do.MakeOwnEni, claim: VpcIpClaim) -> VpcIpClaim:
        """Return the claim with the order, which it may have already. Raises: KubeError."""
        if action.begun:
            return claim
        return self._writer.write_status(claim, status.begin_order(claim, action.order))

    def refused(
        self, error: CloudError, claim: VpcIpClaim, facts: VpcIpFacts, *, certain: bool, said: str
    ) -> VpcIpFacts:
        """End an order that has failed, and return what that means; raise the error if more may come of it.

        `certain` are failures that are so for this kind of order, besides those that are for all. `said` goes
        into the log. Raises: CloudError; KubeError.
        """
        ip, subnet_id = claim.allocation.ip, claim.allocation.subnet_id
        in_use = error.kind is CloudErrorKind.ADDRESS_IN_USE
        full = error.kind is CloudErrorKind.SUBNET_FULL
        if not certain and not in_use and not full and not failures.spends_token(error):
            raise error
        claim = self._writer.write_status(claim, status.end_order(claim))
        log.info("VpcIPClaim %s: %s: %s", claim, said, error)
        return replace(
            facts,
            claim=claim,
            foreign_ips=facts.foreign_ips | {ip} if in_use else facts.foreign_ips,
            taken_by=error.detail if in_use else facts.taken_by,
            full=facts.full | {subnet_id} if full else facts.full,
            candidate="",
        )

    def held_back(self, claim: VpcIpClaim, name: str, released: str) -> Result | None:
        """Return when to look again if releases are stopped now, and tell people; None when they are not.

        `released` is the word for what does not happen to it. Raises: KubeError.
        """
        stopped_by = self._ports.release_stopped()
        if not stopped_by:
            return None
        log.warning("VpcIPClaim %s: %s is not %s: %s", claim, name, released, stopped_by)
        self._teller.claim(claim, "Warning", "ReleasesStopped", f"{name}: {stopped_by}")
        return Result(requeue_after=_STOPPED_PAUSE)

    def given_back(self, claim: VpcIpClaim, facts: VpcIpFacts, name: str) -> VpcIpFacts:
        """Return the facts without what the claim has given back. Raises: KubeError."""
        if claim.allocation.started is not None:  # what it was to make was this one
            claim = self._writer.write_status(claim, status.end_order(claim))
        return replace(facts, claim=claim, released=facts.released | {name})
