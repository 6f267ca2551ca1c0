"""A new ENI on a CVM, or nothing: creation, attachment, and tidying up when it fails half way."""

from typing import Any

from ipamd.cloud import fields, tasks
from ipamd.cloud.enis import EniCalls
from ipamd.core import model, tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.deadline import Deadline

NODE_TAG = tags.NODE
EXCLUSIVE_NODE_TAG = tags.EXCLUSIVE_NODE
_EXTENDED = 1
"""AttachType of CreateAndAttachNetworkInterface: counts against ExtendEniQuantity."""
_TIDY_SECONDS = 15.0
"""What removing a failed ENI may take beyond the deadline of the job that failed."""


class EniCreation(EniCalls):
    """Creates ENIs. Thread safety: as the session."""

    def create_and_attach_eni(
        self, request: model.EniRequest, client_token: str, deadline: Deadline
    ) -> model.Eni:
        """Create an ENI, attach it and return it once it is AVAILABLE on the CVM.

        With the same `client_token` a repeat finds the ENI of the first try instead of creating a second one
        (API page CreateAndAttachNetworkInterface): keep it until the outcome is certain. Raises CloudError;
        if the ENI was created, it is either removed again or named in the message. One that somebody deletes
        meanwhile is not waited for until the deadline (TASK_FAILED).
        """
        reply = self._session.call(
            "CreateAndAttachNetworkInterface",
            _parameters(request, client_token),
            deadline=deadline,
            scope=request.subnet_id,
        )
        eni_id = reply.read(
            lambda body: fields.identity(fields.child(body, "NetworkInterface"), "NetworkInterfaceId")
        )

        look = self._look_at_lasting(eni_id)

        def ready(deadline: Deadline) -> model.Eni | None:
            eni = look(deadline)
            if eni is None or eni.state is not model.EniState.AVAILABLE:
                return None
            return eni if eni.instance_id == request.instance_id and eni.primary_ip else None

        try:
            return tasks.settle(self._session, reply, ready, deadline)
        except CloudError as error:
            left = f"ENI {eni_id} was created, is left as it is, and may yet be attached"
            if error.kind is CloudErrorKind.TASK_FAILED:
                left = self._remove_failed(eni_id, request.instance_id)
            raise error.restated(f"{error.detail}; {left}") from error

    def _remove_failed(self, eni_id: str, instance_id: str) -> str:
        """Remove an ENI whose creation or attachment failed; return in words what is left of it."""
        deadline = Deadline.after(_TIDY_SECONDS, self._session.conduct.clock)
        try:
            self.detach_eni(eni_id, instance_id, deadline)
            self.delete_eni(eni_id, deadline)
        except CloudError as error:
            return (
                f"ENI {eni_id} is left and must be deleted, which failed too ({error.code}: {error.detail})"
            )
        return f"ENI {eni_id} was removed again"


def _parameters(request: model.EniRequest, client_token: str) -> dict[str, Any]:
    tagged = {**request.tags, EXCLUSIVE_NODE_TAG if request.exclusive else NODE_TAG: request.instance_id}
    params: dict[str, Any] = {
        "VpcId": request.vpc_id,
        "SubnetId": request.subnet_id,
        "InstanceId": request.instance_id,
        "NetworkInterfaceName": request.name or f"tke-eni {request.instance_id}",
        "Tags": [{"Key": key, "Value": value} for key, value in tagged.items()],
        "ClientToken": client_token,
    }
    if request.security_groups:
        params["SecurityGroupIds"] = list(request.security_groups)
    if request.exclusive:
        params["AttachType"] = _EXTENDED
    if request.secondary_ips:
        params["SecondaryPrivateIpAddressCount"] = request.secondary_ips
    return params
