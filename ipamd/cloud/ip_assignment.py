"""Secondary private addresses of an ENI: taking any or a named one, and giving back.

The writes are asynchronous; the methods here return when the cloud shows the effect.
"""

from collections.abc import Sequence

from ipamd.cloud import decoding, tasks
from ipamd.cloud.enis import EniCalls
from ipamd.cloud.session import Reply
from ipamd.core import model
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.deadline import Deadline

BATCH = 10
"""Addresses for one call, as AssignPrivateIpAddresses and UnassignPrivateIpAddresses document."""
_MOST_TRIES = 4


class IpAssignment(EniCalls):
    """Assigns and unassigns addresses. Thread safety: as the session."""

    def assign_ips(self, eni_id: str, count: int, client_token: str, deadline: Deadline) -> tuple[str, ...]:
        """Take up to `count` (1 to 10) addresses for the ENI; return those that came to be AVAILABLE.

        They may be fewer than asked for. AssignPrivateIpAddresses on the API pages. With the same
        `client_token` a repeat returns the addresses of the first try. Raises CloudError: SUBNET_FULL, QUOTA
        (the ENI holds all it may), UNKNOWN_OUTCOME when the deadline came before any was AVAILABLE: they may
        come yet, and are then listed on the ENI.
        """
        if not 1 <= count <= BATCH:
            msg = f"assign_ips takes 1 to {BATCH} addresses at once, not {count}"
            raise ValueError(msg)
        params = {
            "NetworkInterfaceId": eni_id,
            "SecondaryPrivateIpAddressCount": count,
            "ClientToken": client_token,
        }
        reply = self._session.call("AssignPrivateIpAddresses", params, deadline=deadline, scope=eni_id)
        given = [address.ip for address in reply.each("PrivateIpAddressSet", decoding.eni_address)]
        if not given:
            raise cloud_error(
                reply.action, "ClientUnexpectedAnswer", f"no address was given to {eni_id}", reply.request_id
            )

        available: tuple[str, ...] = ()

        def all_available(deadline: Deadline) -> tuple[str, ...] | None:
            nonlocal available
            available = self._available(eni_id, given, deadline)
            return available if len(available) == len(given) else None

        try:
            return tasks.settle(self._session, reply, all_available, deadline)
        except CloudError as error:
            # Some may be there although the whole is not, and what is there is what counts.
            if error.kind is CloudErrorKind.TASK_FAILED:
                available = self._available(eni_id, given, deadline)
            if not available:
                raise
            return available

    def assign_named_ip(
        self, eni_id: str, ip: str, description: str, client_token: str, deadline: Deadline
    ) -> None:
        """Take exactly this address for the ENI; return when it is AVAILABLE there.

        The description stays with the address (`EniAddress.description`). One that the ENI has already is a
        success, whatever its description. Raises CloudError: ADDRESS_IN_USE when another ENI has it, or it
        is not given to us; QUOTA (the ENI holds all it may); INVALID (not of the ENI's subnet);
        UNKNOWN_OUTCOME when it may come yet, and is then listed on the ENI.
        """
        named = {"PrivateIpAddress": ip, "Description": description}
        params = {"NetworkInterfaceId": eni_id, "PrivateIpAddresses": [named], "ClientToken": client_token}

        def available(deadline: Deadline) -> bool | None:
            return bool(self._available(eni_id, [ip], deadline)) or None

        action = "AssignPrivateIpAddresses"
        try:
            reply = self._session.call(action, params, deadline=deadline, scope=f"{eni_id} {ip}")
        except CloudError as error:
            if not error.kind.policy.needs_look:
                raise
            if not self._given(eni_id, frozenset([ip]), deadline):
                in_use = error.code.partition(".")[0] == "ResourceInUse"
                raise error.restated(
                    error.detail, CloudErrorKind.ADDRESS_IN_USE if in_use else None
                ) from error
            # Asked for before, and the answer was lost, or the cloud has forgotten the token.
            reply = Reply(action=action, request_id="", body={})
        tasks.settle(self._session, reply, available, deadline)

    def unassign_ips(self, eni_id: str, ips: Sequence[str], deadline: Deadline) -> None:
        """Give secondary addresses back; return when they are off the ENI.

        Addresses that are not on it, or an ENI that is gone, are a success. UnassignPrivateIpAddresses also
        unbinds an EIP that is bound to the address: unbind it first. Raises CloudError.
        """
        for start in range(0, len(ips), BATCH):
            self._unassign(eni_id, frozenset(ips[start : start + BATCH]), deadline)

    def _unassign(self, eni_id: str, ips: frozenset[str], deadline: Deadline) -> None:
        """Ask, look, and ask again for what is left: one unknown address fails the whole call."""

        def gone(deadline: Deadline) -> bool | None:
            return None if self._on_eni(eni_id, ips, deadline) else True

        left = ips
        attempt = 0
        while True:
            attempt += 1
            try:
                write = self._ask_to_unassign(eni_id, left, deadline)
                tasks.settle(self._session, write, gone, deadline)
            except CloudError as error:
                worth_a_look = error.kind.policy.needs_look and attempt < _MOST_TRIES
                if not worth_a_look or not self._session.pause(attempt, deadline):
                    raise
            else:
                return
            on_eni = self._on_eni(eni_id, ips, deadline)
            if not on_eni:
                return
            left = frozenset(address.ip for address in on_eni if address.state is not model.IpState.DELETING)

    def _ask_to_unassign(self, eni_id: str, ips: frozenset[str], deadline: Deadline) -> Reply:
        """Send the write; with nothing to ask for, return a reply without a task."""
        action = "UnassignPrivateIpAddresses"
        if not ips:
            return Reply(action=action, request_id="", body={})
        listed = [{"PrivateIpAddress": ip} for ip in sorted(ips)]
        params = {"NetworkInterfaceId": eni_id, "PrivateIpAddresses": listed}
        return self._session.call(action, params, deadline=deadline)

    def _available(self, eni_id: str, ips: Sequence[str], deadline: Deadline) -> tuple[str, ...]:
        return tuple(
            address.ip
            for address in self._given(eni_id, frozenset(ips), deadline)
            if address.state is model.IpState.AVAILABLE
        )

    def _on_eni(self, eni_id: str, ips: frozenset[str], deadline: Deadline) -> list[model.EniAddress]:
        eni = self.describe_eni(eni_id, deadline)
        return [address for address in eni.addresses if address.ip in ips] if eni is not None else []

    def _given(self, eni_id: str, ips: frozenset[str], deadline: Deadline) -> list[model.EniAddress]:
        """Return those of the addresses that the ENI has besides its own."""
        return [address for address in self._on_eni(eni_id, ips, deadline) if not address.primary]
