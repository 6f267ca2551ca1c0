"""Binding an EIP to one private address of an ENI, and unbinding it.

AssociateAddress and DisassociateAddress take no ClientToken, so a refusal or a lost answer is settled by a
look at the EIP: what is already as wanted is a success. A bound EIP is never taken from its holder. The
writes return once they are accepted; `polling.EipWatch` waits for their effect.
"""

from ipamd.cloud import tasks
from ipamd.cloud.eips import EipCalls
from ipamd.core import model
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.deadline import Deadline

_BINDING = (model.EipStatus.BINDING, model.EipStatus.BIND, model.EipStatus.BIND_ENI)
_LOOSE = (model.EipStatus.UNBIND, model.EipStatus.UNBINDING, model.EipStatus.OFFLINING)


class EipBinding(EipCalls):
    """Binds and unbinds EIPs. Thread safety: as the session."""

    def associate_eip(
        self, eip_id: str, eni_id: str, private_ip: str, deadline: Deadline | None = None
    ) -> str:
        """Start to bind the EIP to the address; return the id of the task, "" if it is bound or under way.

        Raises CloudError: WRONG_STATE when the EIP, or another EIP of the address, is in the way, with the
        holder's name in the message; NOT_FOUND when EIP or ENI does not exist; QUOTA when the CVM has all the
        public IPs that it may have; UNKNOWN_OUTCOME when a look did not settle it either.
        """
        deadline = self._session.deadline(deadline)
        params = {"AddressId": eip_id, "NetworkInterfaceId": eni_id, "PrivateIpAddress": private_ip}
        try:
            reply = self._session.call(
                "AssociateAddress", params, deadline=deadline, scope=f"{eip_id} {eni_id}"
            )
        except CloudError as error:
            if not error.kind.policy.needs_look:
                raise
            eip = self.describe_eip(eip_id, deadline)
            if eip is not None and eip.status in _BINDING:
                if (eip.eni_id, eip.private_ip) == (eni_id, private_ip):
                    return ""
                raise _held(error, f"{eip_id} is bound to {_holder(eip)}") from error
            for holder in self.describe_eips(eni_ids=[eni_id], deadline=deadline):
                if holder.private_ip != private_ip or holder.status not in _BINDING:
                    continue
                if holder.eip_id == eip_id:
                    return ""
                raise _held(error, f"{private_ip} of {eni_id} already has {holder.eip_id}") from error
            raise
        return tasks.task_id(reply)

    def disassociate_eip(self, eip_id: str, deadline: Deadline | None = None) -> str:
        """Start to unbind the EIP; return the id of the task, "" if it is unbound, under way or gone.

        Raises CloudError; UNKNOWN_OUTCOME when a look did not settle it.
        """
        deadline = self._session.deadline(deadline)
        try:
            reply = self._session.call("DisassociateAddress", {"AddressId": eip_id}, deadline=deadline)
        except CloudError as error:
            if error.kind is CloudErrorKind.NOT_FOUND:
                return ""
            if not error.kind.policy.needs_look:
                raise
            eip = self.describe_eip(eip_id, deadline)
            if eip is None or eip.status in _LOOSE:
                return ""
            raise
        return tasks.task_id(reply)


def _holder(eip: model.Eip) -> str:
    place = " ".join(part for part in (eip.private_ip, eip.eni_id) if part)
    return f"{place or 'something else'}{f' of {eip.instance_id}' if eip.instance_id else ''}"


def _held(error: CloudError, what: str) -> CloudError:
    return cloud_error(error.action, "ClientBoundElsewhere", f"{what} ({error.code})", error.request_id)
