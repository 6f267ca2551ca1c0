"""What the passes over keepers have to know of ENIs that were made for claims alone.

Thread safety: for the thread of a pass.
"""

from typing import Final

from ipamd.controller.vpc_ips.enis import ClaimEnis
from ipamd.controller.vpc_ips.keeper_sweep import SweepWords
from ipamd.controller.vpc_ips.sight import VpcIpSight
from ipamd.core.vpc_ip import keepers
from ipamd.core.vpc_ip.keepers import AddressKeeper
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress, VpcIpClaim

_WORDS: Final = SweepWords(
    given_up="deleted",
    used="in use",
    used_advice="if nobody needs it, unbind its EIP and detach it",
    found_event="OrphanedENI",
    given_up_event="DeletedOrphanedENI",
    found_metric=(
        "tke_eni_orphaned_claim_enis",
        "ENIs made for VpcIPClaims of the cluster that are not there.",
    ),
    given_up_metric=(
        "tke_eni_orphaned_claim_enis_deleted",
        "ENIs made for VpcIPClaims that were deleted without one.",
    ),
)


class KeptEnis:
    """A `KeeperKind`: ENIs that keep their claims' addresses."""

    words = _WORDS

    def __init__(self, sight: VpcIpSight, enis: ClaimEnis) -> None:
        """Take what looks, and what deletes and marks."""
        self._book = sight.book
        self._live = sight.live
        self._enis = enis

    def may_exist(self) -> bool:
        """Whether a claim has one, or is to have."""
        return any(claim.exclusive for claim in self._book.claims())

    def listed(self) -> list[AddressKeeper]:
        """Return those of the cluster. Raises: CloudError."""
        return [keepers.of_eni(eni) for eni in self._live.at_all_enis()]

    def now(self, one: AddressKeeper) -> AddressKeeper | None:
        """Return it as it is now, None when it is gone. Raises: CloudError."""
        eni = self._live.at_eni(one.name)
        return keepers.of_eni(eni) if eni is not None else None

    def give_up(self, one: AddressKeeper) -> str:
        """Delete it; return why it is not, empty when it is. Raises: as `ClaimEnis.give_up`."""
        return self._enis.give_up(one.name)

    def recorded(self, address: FixedAddress) -> str:
        """Return the ENI of the address; empty for none."""
        return address.eni_id

    def is_there(self, claim: VpcIpClaim) -> bool:
        """Whether the claim's ENI exists. Raises: CloudError."""
        return claim.address is not None and self._live.at_eni(claim.address.eni_id) is not None

    def mark_lost(self, claim: VpcIpClaim) -> str:
        """Have the claim say that its ENI is gone, and tell its owner; return how. Raises: KubeError."""
        if claim.address is None:
            return ""
        message = f"{claim.address.eni_id} was deleted; another ENI gets {claim.address.ip}"
        return message if self._enis.miss(claim, message) is not None else ""
