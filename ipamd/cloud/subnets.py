"""What lies around the ENIs: subnets, the ranges of the VPC, route tables. Reads only."""

from collections.abc import Mapping, Sequence

from ipamd.cloud import decoding, paging
from ipamd.cloud.session import Calls
from ipamd.core import model
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.timing.deadline import Deadline

_SUBNETS = paging.PagedListing(
    action="DescribeSubnets",
    rows="SubnetSet",
    decode=decoding.subnet,
    identify=lambda subnet: subnet.subnet_id,
    numbers_as_text=True,
)
_VPCS = paging.PagedListing(
    action="DescribeVpcs",
    rows="VpcSet",
    decode=decoding.vpc_cidrs,
    identify=lambda cidrs: cidrs[0],
    numbers_as_text=True,
)
_ROUTE_TABLES = paging.PagedListing(
    action="DescribeRouteTables",
    rows="RouteTableSet",
    decode=decoding.route_table,
    identify=lambda table: table.route_table_id,
    numbers_as_text=True,
)


class SubnetCalls(Calls):
    """Reads of the VPC. Thread safety: as the session."""

    def describe_subnets(
        self, subnet_ids: Sequence[str], deadline: Deadline | None = None
    ) -> list[model.Subnet]:
        """Return those of the subnets that exist (API document 215/15784)."""
        deadline = self._session.deadline(deadline)
        return [
            subnet
            for ids in paging.by_hundreds(subnet_ids)
            for subnet in paging.read_all(self._session, _SUBNETS, {"SubnetIds": ids}, deadline)
        ]

    def find_subnets(
        self, vpc_id: str, tags: Mapping[str, str], cidr: str, deadline: Deadline | None = None
    ) -> list[model.Subnet]:
        """Return the subnets of the VPC that carry all of these tags and have this range; empty: any."""
        filters = {"vpc-id": vpc_id, **{f"tag:{key}": value for key, value in tags.items()}}
        if cidr:
            filters["cidr-block"] = cidr
        listed = [{"Name": name, "Values": [value]} for name, value in filters.items()]
        return paging.read_all(self._session, _SUBNETS, {"Filters": listed}, deadline)

    def describe_vpc_cidrs(self, vpc_id: str, deadline: Deadline | None = None) -> tuple[str, ...]:
        """Return the IPv4 ranges of the VPC, the main one first, then its assistant ones.

        DescribeVpcs (API document 215/15778). CloudError NOT_FOUND if there is no such VPC.
        """
        for cidrs in paging.read_all(self._session, _VPCS, {"VpcIds": [vpc_id]}, deadline):
            return cidrs
        raise cloud_error(_VPCS.action, "ClientNotFound", f"there is no VPC {vpc_id} in this region")

    def describe_route_tables(
        self, route_table_ids: Sequence[str], deadline: Deadline | None = None
    ) -> list[model.RouteTable]:
        """Return those of the route tables that exist; a subnet names its own (API document 215/15763)."""
        deadline = self._session.deadline(deadline)
        return [
            table
            for ids in paging.by_hundreds(route_table_ids)
            for table in paging.read_all(self._session, _ROUTE_TABLES, {"RouteTableIds": ids}, deadline)
        ]
