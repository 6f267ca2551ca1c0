"""What `ipamctl preflight` asks metadata service and cloud API: only what is read, each action once."""

import contextlib
import ipaddress
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from ipamd.cloud import credentials, endpoints, metadata
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError
from ipamd.core.preflight import account
from ipamd.core.preflight.result import Judgement
from ipamd.core.timing.deadline import Deadline

_SECONDS: Final = 15.0
"""For each action: also an API that does not answer is told soon."""
_Answer = TypeVar("_Answer")


def look(
    metadata_url: str, endpoint: str, environment: Mapping[str, str], pod_subnets: Sequence[str] = ()
) -> Iterator[Judgement]:
    """Yield what is found; without a region or a key nothing further can be asked.

    `pod_subnets` are those that ENIs are to be made in; empty: that of the CVM.
    """
    service = metadata.Metadata(metadata_url)
    try:
        instance_id, region = service.instance_id(), service.region()
    except IpamError as e:
        yield account.metadata_away(metadata_url, e.message)
        return
    yield account.metadata(instance_id, region)
    static = credentials.from_environment(environment)
    try:
        if static is None:
            service.credential()
    except IpamError as e:
        yield account.no_credential(e.message)
        return
    yield account.credential("the environment" if static else "the CAM role of the CVM")
    role = static or credentials.RoleCredentials(service.credential)
    where = endpoints.parse(endpoint)
    with contextlib.closing(TencentCloud(region=region, credentials=role, endpoints=where)) as cloud:
        yield from _Asked(cloud, instance_id, pod_subnets).judged()


class _Asked:
    """One round of questions, with what became of each action."""

    def __init__(self, cloud: TencentCloud, instance_id: str, pod_subnets: Sequence[str]) -> None:
        self._cloud = cloud
        self._pod_subnets = pod_subnets
        self._instance_id = instance_id
        self._allowed: list[str] = []
        self._refused: list[str] = []
        self._unanswered: list[str] = []
        self._not_offered = ""

    def judged(self) -> Iterator[Judgement]:
        cloud, instance_id = self._cloud, self._instance_id
        found: list[Judgement] = []
        instance = self._ask("DescribeInstances", lambda d: cloud.describe_instance(instance_id, d))
        self._ask("DescribeNetworkInterfaces", lambda d: cloud.describe_enis(instance_id, d))
        limits = self._ask(
            "DescribeNetworkInterfaceLimit", lambda d: cloud.describe_eni_limits(instance_id, d)
        )
        if instance and limits:
            found.append(account.instance_limits(instance, limits))
        if instance:
            found += self._of_vpc(instance)
        self._ask("DescribeAddresses", lambda d: cloud.count_eips_with_tag("tke-created-eip", d))
        quota = self._ask("DescribeAddressQuota", cloud.describe_eip_quota)
        kind = self._ask("DescribeNetworkAccountType", cloud.describe_account_type)
        # Of tasks that there never were: whether the key may ask is all that matters.
        self._ask("DescribeTaskResult", lambda d: cloud.describe_eip_task("1", d))
        self._ask("DescribeVpcTaskResult", lambda d: cloud.describe_vpc_task("preflight", d))
        found += [account.eip_quota(quota)] if quota is not None else []
        found += [account.account_type(kind)] if kind else []
        yield from account.read_rights(self._allowed, self._refused, self._unanswered)
        if self._not_offered:
            yield account.reservations_not_offered(self._not_offered)
        yield account.write_rights()
        there = cloud.time()
        if there is not None:
            yield account.clock(time.time() - there)
        yield from found

    def _of_vpc(self, instance: model.Instance) -> list[Judgement]:
        self._ask("DescribeVpcs", lambda d: self._cloud.describe_vpc_cidrs(instance.vpc_id, d))
        wanted = self._pod_subnets or [instance.subnet_id]
        subnets = self._ask("DescribeSubnets", lambda d: self._existing(wanted, d))
        if subnets is None:
            return []
        if not subnets:
            return [account.subnets(instance.zone, (), self._pod_subnets)]
        self._of_fixed_addresses(instance.vpc_id, subnets[0])
        tables = [subnet.route_table_id for subnet in subnets]
        self._ask("DescribeRouteTables", lambda d: self._cloud.describe_route_tables(tables, d))
        return [account.subnets(instance.zone, subnets, self._pod_subnets)]

    def _of_fixed_addresses(self, vpc_id: str, subnet: model.Subnet) -> None:
        """Ask for one address of a subnet: its gateway, which nobody can have reserved."""
        gateway = str(ipaddress.IPv4Network(subnet.cidr).network_address + 1)
        self._ask(
            "DescribeReserveIpAddresses",
            lambda d: self._cloud.describe_reservations(ips=[gateway], vpc_id=vpc_id, deadline=d),
        )
        self._ask(
            "DescribeUsedIpAddress",
            lambda d: self._cloud.describe_used_ips(vpc_id, subnet.subnet_id, [gateway], d),
        )

    def _existing(self, subnet_ids: Sequence[str], deadline: Deadline) -> list[model.Subnet]:
        """Return those that exist: the cloud refuses a request that names one that does not."""
        found: list[model.Subnet] = []
        for subnet_id in subnet_ids:
            try:
                found += self._cloud.describe_subnets([subnet_id], deadline)
            except CloudError as e:
                if e.kind is not CloudErrorKind.NOT_FOUND:
                    raise
        return found

    def _ask(self, action: str, call: Callable[[Deadline], _Answer]) -> _Answer | None:
        try:
            answer = call(Deadline.after(_SECONDS, time.monotonic))
        except CloudError as e:
            if e.kind is CloudErrorKind.PERMISSION:
                self._refused.append(action)
            elif e.kind is CloudErrorKind.NOT_OFFERED:
                self._not_offered = e.message
            else:
                self._unanswered.append(e.message)
            return None
        self._allowed.append(action)
        return answer
