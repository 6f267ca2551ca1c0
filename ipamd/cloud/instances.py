"""CVMs, as far as networking needs them: size, place, and how many ENIs and addresses they take."""

from ipamd.cloud import decoding, fields, paging
from ipamd.cloud.session import Calls
from ipamd.core import model
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.timing.deadline import Deadline

_INSTANCES = paging.PagedListing(
    action="DescribeInstances",
    rows="InstanceSet",
    decode=decoding.instance,
    identify=lambda instance: instance.instance_id,
    product="cvm",
)


class InstanceCalls(Calls):
    """Reads of CVMs. Thread safety: as the session."""

    def describe_instance(self, instance_id: str, deadline: Deadline | None = None) -> model.Instance:
        """Return one CVM; CloudError NOT_FOUND if the account has none of this id in the region."""
        params = {"InstanceIds": [instance_id]}
        for instance in paging.read_all(self._session, _INSTANCES, params, deadline):
            if instance.instance_id == instance_id:
                return instance
        raise cloud_error(
            _INSTANCES.action, "ClientNotFound", f"there is no CVM {instance_id} in this region"
        )

    def describe_eni_limits(self, instance_id: str, deadline: Deadline | None = None) -> model.EniLimits:
        """Return how many ENIs the CVM takes and addresses each of them, primary ones included.

        API page DescribeNetworkInterfaceLimit: EniQuantity, EniPrivateIpAddressQuantity, ExtendEniQuantity.
        """
        reply = self._session.call(
            "DescribeNetworkInterfaceLimit", {"InstanceId": instance_id}, deadline=deadline
        )
        limits = reply.read(
            lambda body: model.EniLimits(
                enis=fields.integer(body, "EniQuantity"),
                ips_per_eni=fields.integer(body, "EniPrivateIpAddressQuantity"),
                extended=fields.integer(body, "ExtendEniQuantity") if "ExtendEniQuantity" in body else 0,
            )
        )
        if limits.enis < 1 or limits.ips_per_eni < 1:
            raise cloud_error(
                reply.action, "ClientUnexpectedAnswer", f"{instance_id} has limits {limits}", reply.request_id
            )
        return limits
