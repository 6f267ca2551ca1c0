"""ENIs: which there are, and taking one away.

Writes are asynchronous; the methods here return when the cloud shows the effect.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence

from ipamd.cloud import decoding, paging, tasks
from ipamd.cloud.session import Calls, Reply
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.deadline import Deadline

ENIS = paging.PagedListing(
    action="DescribeNetworkInterfaces",
    rows="NetworkInterfaceSet",
    decode=decoding.eni,
    identify=lambda eni: eni.eni_id,
)


class EniCalls(Calls):
    """Reads, detaches and deletes ENIs. Thread safety: as the session."""

    def describe_enis(self, instance_id: str, deadline: Deadline | None = None) -> list[model.Eni]:
        """Return every ENI that is attached to the CVM, the primary one included, with its addresses.

        DescribeNetworkInterfaces (API document 215/15817).
        """
        return self._filtered({"attachment.instance-id": instance_id}, deadline)

    def find_enis(self, tags: Mapping[str, str], deadline: Deadline | None = None) -> list[model.Eni]:
        """Return every ENI that carries all of these tags, attached or not: how leftovers are found."""
        if not tags:
            msg = "find_enis needs at least one tag: without, it would list the whole account"
            raise ValueError(msg)
        return self._filtered({f"tag:{key}": value for key, value in tags.items()}, deadline)

    def describe_eni(self, eni_id: str, deadline: Deadline | None = None) -> model.Eni | None:
        """Return one ENI, or None if it does not exist."""
        try:
            found = paging.read_all(self._session, ENIS, {"NetworkInterfaceIds": [eni_id]}, deadline)
        except CloudError as error:
            if error.kind is CloudErrorKind.NOT_FOUND:
                return None
            raise
        return next((eni for eni in found if eni.eni_id == eni_id), None)

    def describe_enis_by_id(
        self, eni_ids: Sequence[str], deadline: Deadline | None = None
    ) -> list[model.Eni]:
        """Return those of the ENIs that exist; whose they are does not matter.

        One id that does not exist makes the cloud refuse a whole request, so its neighbours are asked for
        again one by one.
        """
        deadline = self._session.deadline(deadline)
        found: list[model.Eni] = []
        for ids in paging.by_hundreds(eni_ids):
            try:
                found += paging.read_all(self._session, ENIS, {"NetworkInterfaceIds": ids}, deadline)
            except CloudError as error:
                if error.kind is not CloudErrorKind.NOT_FOUND:
                    raise
                found += filter(None, (self.describe_eni(eni_id, deadline) for eni_id in ids))
        return found

    def detach_eni(self, eni_id: str, instance_id: str, deadline: Deadline) -> None:
        """Take the ENI off the CVM; return when it is off. One that is gone, or not on it, is a success.

        Raises CloudError as `tasks.settle`.
        """
        try:
            reply = self._session.call(
                "DetachNetworkInterface",
                {"NetworkInterfaceId": eni_id, "InstanceId": instance_id, "ClientToken": uuid.uuid4().hex},
                deadline=deadline,
            )
        except CloudError as error:
            eni = self._after_refusal(eni_id, error, deadline)
            if eni is None or eni.instance_id != instance_id:
                return
            if eni.state is not model.EniState.DETACHING:
                raise
            reply = Reply(action=error.action, request_id="", body={})

        def detached(deadline: Deadline) -> bool | None:
            eni = self.describe_eni(eni_id, deadline)
            return True if eni is None or eni.instance_id != instance_id else None

        tasks.settle(self._session, reply, detached, deadline)
        self._session.completed("DetachNetworkInterface")

    def delete_eni(self, eni_id: str, deadline: Deadline) -> None:
        """Delete a detached ENI with its addresses; return when it is gone. One that is gone is a success.

        Raises CloudError as `tasks.settle`; WRONG_STATE while it is attached.
        """
        try:
            reply = self._session.call(
                "DeleteNetworkInterface", {"NetworkInterfaceId": eni_id}, deadline=deadline
            )
        except CloudError as error:
            eni = self._after_refusal(eni_id, error, deadline)
            if eni is None:
                return
            if eni.state is not model.EniState.DELETING:
                raise
            reply = Reply(action=error.action, request_id="", body={})

        def deleted(deadline: Deadline) -> bool | None:
            return True if self.describe_eni(eni_id, deadline) is None else None

        tasks.settle(self._session, reply, deleted, deadline)

    def _look_at_lasting(self, eni_id: str) -> Callable[[Deadline], model.Eni | None]:
        """Return what looks, again and again, at an ENI that is to stay; None while it is not listed.

        A look raises CloudError, and VanishedError once it is clear that somebody has deleted the ENI.
        """
        disappearance = tasks.Disappearance(f"ENI {eni_id}", self._session.conduct.clock)

        def look(deadline: Deadline) -> model.Eni | None:
            eni = self.describe_eni(eni_id, deadline)
            disappearance.note(listed=eni is not None)
            return eni

        return look

    def _filtered(self, filters: Mapping[str, str], deadline: Deadline | None) -> list[model.Eni]:
        listed = [{"Name": name, "Values": [value]} for name, value in filters.items()]
        return paging.read_all(self._session, ENIS, {"Filters": listed}, deadline)

    def _after_refusal(self, eni_id: str, error: CloudError, deadline: Deadline) -> model.Eni | None:
        """Look at the ENI after a refusal that its own state may explain; re-raise any other refusal."""
        if not error.kind.policy.needs_look:
            raise error
        return self.describe_eni(eni_id, deadline)
