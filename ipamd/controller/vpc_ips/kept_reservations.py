"""What the passes over keepers have to know of reservations.

Thread safety: for the thread of a pass.
"""

from typing import Final

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.keeper_sweep import SweepWords
from ipamd.controller.vpc_ips.reservations import Reservations
from ipamd.controller.vpc_ips.sight import VpcIpSight
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core.vpc_ip import keepers, status
from ipamd.core.vpc_ip.keepers import AddressKeeper
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress, VpcIpClaim

_LOST: Final = "the reservation was deleted; the address is reserved again"
_WORDS: Final = SweepWords(
    given_up="released",
    used="at an ENI",
    used_advice="if nobody needs the address, unassign it",
    found_event="OrphanedReservation",
    given_up_event="ReleasedOrphanedReservation",
    found_metric=(
        "tke_eni_orphaned_reservations",
        "Reserved private addresses of the cluster that no VpcIPClaim answers for.",
    ),
    given_up_metric=(
        "tke_eni_orphaned_reservations_released",
        "Reserved private addresses without VpcIPClaim that were released.",
    ),
)


class KeptReservations:
    """A `KeeperKind`: reservations, by which the VPC keeps claims' addresses."""

    words = _WORDS

    def __init__(
        self, sight: VpcIpSight, reservations: Reservations, writer: VpcIpWriter, *, ports: Ports
    ) -> None:
        """Take what looks, what releases, and what writes claims."""
        self._book = sight.book
        self._live = sight.live
        self._reservations = reservations
        self._writer = writer
        self._ports = ports

    def may_exist(self) -> bool:
        """Whether there are fixed addresses."""
        return bool(self._book.lines()) or bool(self._book.claims())

    def listed(self) -> list[AddressKeeper] | None:
        """Return those of the cluster, None where the VPC shows none. Raises: CloudError."""
        found = self._live.at_all_reservations()
        return None if found is None else [keepers.of_reservation(one) for one in found]

    def now(self, one: AddressKeeper) -> AddressKeeper | None:
        """Return it as it is now, None when it is gone. Raises: CloudError."""
        found = self._live.at_reservation(one.vpc_id, one.ip, one.name)
        return keepers.of_reservation(found) if found is not None else None

    def give_up(self, one: AddressKeeper) -> str:
        """Release it; return why it is not, empty when it is. Raises: as `Reservations.give_up`."""
        return self._reservations.give_up(one.vpc_id, one.name)

    def recorded(self, address: FixedAddress) -> str:
        """Return the reservation of the address; empty for none."""
        return address.reservation_id

    def is_there(self, claim: VpcIpClaim) -> bool:
        """Whether the claim's reservation exists. Raises: CloudError."""
        return bool(self._live.at_recorded(claim))

    def mark_lost(self, claim: VpcIpClaim) -> str:
        """Have the claim say that its reservation is gone; return how. Raises: KubeError."""
        patch = status.not_reserved(claim, VpcIpReason.RESERVATION_LOST, _LOST, self._ports.clock())
        if patch is None:
            return ""
        self._writer.write_status(claim, patch)
        return _LOST
