"""EIPs: ordering, finding, giving back.

Writes return once the cloud has accepted them; `polling.EipWatch` waits for their effect.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ipamd.cloud import decoding, fields, paging, tasks
from ipamd.cloud.inhibition import Scope
from ipamd.cloud.session import Calls
from ipamd.core import model
from ipamd.core.annotations.address_kinds import ORDINARY
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.deadline import Deadline

EIPS = paging.PagedListing(
    action="DescribeAddresses",
    rows="AddressSet",
    decode=decoding.eip,
    identify=lambda eip: eip.eip_id,
)
_ON_THE_WAY_OUT = (model.EipStatus.OFFLINING,)


class EipCalls(Calls):
    """Allocates, lists and releases EIPs. Thread safety: as the session."""

    def allocate_eip(
        self,
        order: model.EipOrder,
        tags: Mapping[str, str],
        client_token: str,
        deadline: Deadline | None = None,
    ) -> model.AcceptedOrder:
        """Order one EIP; it is CREATING, then UNBIND, or never there if the task fails.

        AllocateAddresses (API document 215/16699). With the same `client_token` a repeat returns the EIP of
        the first try. Raises CloudError: QUOTA, MONEY, PERMISSION; NEW_TOKEN when only another token can
        succeed; UNKNOWN_OUTCOME when it may have been allocated, to be found by its tags.
        """
        params = _order(order, tags, client_token)
        reply = self._session.call("AllocateAddresses", params, deadline=deadline, scope=scope_of(order))
        eip_ids = reply.read(lambda body: fields.texts(body, "AddressSet"))
        if len(eip_ids) != 1 or not eip_ids[0]:
            raise cloud_error(
                reply.action,
                "ClientUnexpectedAnswer",
                f"one EIP was ordered and {len(eip_ids)} were delivered: {', '.join(eip_ids)}",
                reply.request_id,
            )
        return model.AcceptedOrder(
            eip_id=eip_ids[0], task_id=tasks.task_id(reply), request_id=reply.request_id
        )

    def check_order(self, order: model.EipOrder) -> None:
        """Raise the CloudError with which such an order was refused, if the refusal still holds."""
        self._session.check("AllocateAddresses", scope_of(order))

    def describe_eips(
        self,
        *,
        eip_ids: Sequence[str] | None = None,
        tags: Mapping[str, str | Sequence[str]] | None = None,
        eni_ids: Sequence[str] | None = None,
        name: str | None = None,
        public_ips: Sequence[str] | None = None,
        deadline: Deadline | None = None,
    ) -> list[model.Eip]:
        """Return the EIPs of these ids, tags (all of them), ENIs, public IPs, or this name: one of these.

        DescribeAddresses (API document 215/16702). A tag may have one of several values, at most 100. Ids
        that do not exist are left out of the answer. Without a deadline each call has the session's time.
        """
        if sum(given is not None for given in (eip_ids, tags, eni_ids, name, public_ips)) != 1:
            msg = "describe_eips takes eip_ids, tags, eni_ids, public_ips or a name, and one of them"
            raise ValueError(msg)
        if name is not None:
            named = [{"Name": "address-name", "Values": [name]}]
            return paging.read_all(self._session, EIPS, {"Filters": named}, deadline)
        if tags is not None:
            if not tags:
                msg = "describe_eips needs at least one tag: without, it would list the whole account"
                raise ValueError(msg)
            filters = [
                {"Name": f"tag:{key}", "Values": [value] if isinstance(value, str) else list(value)}
                for key, value in tags.items()
            ]
            return paging.read_all(self._session, EIPS, {"Filters": filters}, deadline)
        queries: list[dict[str, Any]] = [
            *({"AddressIds": ids} for ids in paging.by_hundreds(eip_ids or ())),
            *(
                {"Filters": [{"Name": "network-interface-id", "Values": ids}]}
                for ids in paging.by_hundreds(eni_ids or ())
            ),
            *(
                {"Filters": [{"Name": "address-ip", "Values": ips}]}
                for ips in paging.by_hundreds(public_ips or ())
            ),
        ]
        return [eip for query in queries for eip in paging.read_all(self._session, EIPS, query, deadline)]

    def count_eips_with_tag(self, key: str, deadline: Deadline | None = None) -> int:
        """Return how many EIPs of the account in this region have the tag, with whatever value."""
        params = {"Filters": [{"Name": "tag-key", "Values": [key]}], "Limit": 1}
        reply = self._session.call("DescribeAddresses", params, deadline=deadline)
        return reply.read(lambda body: fields.integer(body, "TotalCount"))

    def describe_eip(self, eip_id: str, deadline: Deadline | None = None) -> model.Eip | None:
        """Return one EIP, or None if it does not exist."""
        found = self.describe_eips(eip_ids=[eip_id], deadline=deadline)
        return next((eip for eip in found if eip.eip_id == eip_id), None)

    def release_eip(self, eip_id: str, deadline: Deadline | None = None) -> str:
        """Give an unbound EIP back for good; return the id of the task, "" if there is none.

        ReleaseAddresses (API document 215/16700). An EIP that is gone, or on its way out, is a success.
        Raises CloudError WRONG_STATE while it is bound.
        """
        deadline = self._session.deadline(deadline)
        try:
            reply = self._session.call("ReleaseAddresses", {"AddressIds": [eip_id]}, deadline=deadline)
        except CloudError as error:
            if error.kind is CloudErrorKind.NOT_FOUND:
                return ""
            if not error.kind.policy.needs_look:
                raise
            eip = self.describe_eip(eip_id, deadline)
            if eip is None or eip.status in _ON_THE_WAY_OUT:
                return ""
            raise
        return tasks.task_id(reply)

    def release_completed(self) -> None:
        """Note that a released EIP is gone: an order that was refused for want of quota may be given again.

        The release's acceptance alone does not free the quota, so an order in between is refused anew.
        """
        self._session.completed("ReleaseAddresses")

    def describe_eip_quota(self, deadline: Deadline | None = None) -> list[model.EipQuota]:
        """Return the account's EIP quotas in this region (API page DescribeAddressQuota)."""
        reply = self._session.call("DescribeAddressQuota", {}, deadline=deadline)
        return reply.each("QuotaSet", decoding.eip_quota)


def scope_of(order: model.EipOrder) -> Scope:
    """Return what refusals of an order are about; its money is the whole account's.

    The lines of single operators have quotas of their own (document 1199/41648).
    """
    lines = "BGP lines" if order.isp == "BGP" else "single lines"
    package = order.bandwidth_package_id or "no package"
    kind = " ".join(filter(None, (order.isp, order.address_type, order.egress, order.anycast_zone)))
    return Scope(
        f"{kind} {order.charge_type} {package}",
        {
            "AddressQuotaLimitExceeded": lines,
            "FailedOperation.BalanceInsufficient": "the account's money",
            "ResourceInsufficient": order.isp,
            "LimitExceeded.BandwidthPackageQuota": package,
            "LimitExceeded.BandwidthPackageResourceQuota": package,
        },
        {"bandwidthpackage": package},
    )


def _order(order: model.EipOrder, tags: Mapping[str, str], client_token: str) -> dict[str, Any]:
    params: dict[str, Any] = {
        "AddressCount": 1,
        "InternetServiceProvider": order.isp,
        "Tags": [{"Key": key, "Value": value} for key, value in (dict(order.tags) | dict(tags)).items()],
        "ClientToken": client_token,
    }
    optional = {
        "AddressName": order.name,
        "AddressType": order.address_type if order.address_type != ORDINARY else "",
        "AntiDDoSPackageId": order.anti_ddos_package_id,
        "AnycastZone": order.anycast_zone,
        "BandwidthPackageId": order.bandwidth_package_id,
        "Egress": order.egress,
        "InternetChargeType": order.charge_type,
        "InternetMaxBandwidthOut": order.bandwidth_mbps,
    }
    return params | {name: value for name, value in optional.items() if value}
