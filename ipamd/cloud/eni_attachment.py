"""ENIs that live longer than their attachment: created without a CVM, and attached to one.

Such an ENI keeps its address, its tags and its EIP while it is attached to nothing. Detaching and deleting
are those of every ENI (`ipamd.cloud.enis`).
"""

import uuid
from typing import Any

from ipamd.cloud import fields, tasks
from ipamd.cloud.enis import EniCalls
from ipamd.cloud.inhibition import Scope
from ipamd.cloud.session import Reply
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.deadline import Deadline

_EXTENDED = 1
"""AttachType of AttachNetworkInterface: counts against ExtendEniQuantity."""


class EniAttachment(EniCalls):
    """Creates ENIs that no CVM has, and attaches them. Thread safety: as the session."""

    def create_eni(self, order: model.EniOrder, client_token: str, deadline: Deadline) -> model.Eni:
        """Create an ENI that is attached to nothing; return it once it is AVAILABLE.

        CreateNetworkInterface (API document 215/15818). With the same `client_token` a repeat returns the ENI
        of the first try. Raises CloudError: ADDRESS_IN_USE when somebody has the address that the order
        names; SUBNET_FULL; QUOTA (ENIs of the account or the VPC); TASK_FAILED when it was accepted and did
        not come; UNKNOWN_OUTCOME when it may have come, to be found by its tags.
        """
        try:
            reply = self._session.call(
                "CreateNetworkInterface",
                _creation(order, client_token),
                deadline=deadline,
                scope=_scope(order),
            )
        except CloudError as error:
            if order.ip and error.code.partition(".")[0] == "ResourceInUse":
                detail = f"{order.ip} of {order.subnet_id} is in use: {error.detail}"
                raise error.restated(detail, CloudErrorKind.ADDRESS_IN_USE) from error
            raise
        eni_id = reply.read(
            lambda body: fields.identity(fields.child(body, "NetworkInterface"), "NetworkInterfaceId")
        )

        def ready(deadline: Deadline) -> model.Eni | None:
            eni = self.describe_eni(eni_id, deadline)
            return eni if eni is not None and eni.state is model.EniState.AVAILABLE else None

        return tasks.settle(self._session, reply, ready, deadline)

    def attach_eni(self, eni_id: str, instance_id: str, deadline: Deadline) -> model.Eni:
        """Attach an ENI that exists to the CVM, as an extended one; return it once it is AVAILABLE there.

        AttachNetworkInterface (API document 215/15819). One that is there, or on its way there, is a success.
        Raises CloudError: NOT_FOUND when there is no such ENI; WRONG_STATE when another CVM has it, or the
        CVM takes none now; QUOTA when the CVM has all the extended ENIs, or all the public IPs, that it may
        have; TASK_FAILED, also when somebody has deleted it since; UNKNOWN_OUTCOME when it may be attached
        yet.
        """
        action = "AttachNetworkInterface"
        params = {
            "NetworkInterfaceId": eni_id,
            "InstanceId": instance_id,
            "AttachType": _EXTENDED,
            "ClientToken": uuid.uuid4().hex,
        }
        try:
            reply = self._session.call(action, params, deadline=deadline, scope=f"{eni_id} {instance_id}")
        except CloudError as error:
            if not self._is_under_way(eni_id, instance_id, error, deadline):
                raise
            reply = Reply(action=action, request_id="", body={})

        look = self._look_at_lasting(eni_id)

        def attached(deadline: Deadline) -> model.Eni | None:
            eni = look(deadline)
            if eni is None or eni.state is not model.EniState.AVAILABLE:
                return None
            return eni if eni.instance_id == instance_id else None

        return tasks.settle(self._session, reply, attached, deadline)

    def _is_under_way(self, eni_id: str, instance_id: str, error: CloudError, deadline: Deadline) -> bool:
        """Whether the ENI is at the CVM, or comes there, although the call was refused.

        Raises the refusal with who has the ENI, where that is somebody else.
        """
        eni = self._after_refusal(eni_id, error, deadline)
        if eni is None:
            return False
        if eni.instance_id and eni.instance_id != instance_id:
            raise error.restated(f"{eni_id} is attached to {eni.instance_id}") from error
        coming = eni.state in (model.EniState.AVAILABLE, model.EniState.ATTACHING)
        return coming and eni.instance_id == instance_id


def _creation(order: model.EniOrder, client_token: str) -> dict[str, Any]:
    params: dict[str, Any] = {
        "VpcId": order.vpc_id,
        "SubnetId": order.subnet_id,
        "NetworkInterfaceName": order.name,
        "Tags": [{"Key": key, "Value": value} for key, value in order.tags.items()],
        "ClientToken": client_token,
    }
    if order.ip:
        params["PrivateIpAddresses"] = [{"PrivateIpAddress": order.ip, "Primary": True}]
    if order.security_groups:
        params["SecurityGroupIds"] = list(order.security_groups)
    return params


def _scope(order: model.EniOrder) -> Scope:
    """Return what refusals are about: the quota is not the subnet's, and one address's is no other's."""
    about = {"LimitExceeded": "enis", "ResourceInsufficient.Subnet": order.subnet_id}
    return Scope(f"{order.subnet_id} {order.ip}".strip(), about)
