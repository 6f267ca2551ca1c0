"""CHECK: is the kernel still what ADD made, and is ADD's result still what the ledger says?

Looks and changes nothing; what is found is named, so that a person can act on it.
Thread safety: any number of CHECKs run at once.
"""

from dataclasses import dataclass

from ipamd.agent import failures
from ipamd.agent.address_book import AddressBook
from ipamd.agent.enis import NodeEnis
from ipamd.agent.wirings import wiring
from ipamd.core import cni_result, names
from ipamd.core.addresses import Address, Assigned, BindStage
from ipamd.core.cni import CheckRequest
from ipamd.core.cni_errors import CniError, Code
from ipamd.core.errors import IpamError
from ipamd.net.dataplane import DataPlane


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """Serves CHECK."""

    book: AddressBook
    enis: NodeEnis
    dataplane: DataPlane

    def check(self, request: CheckRequest) -> None:
        """Return when all is well; CniError names what is not."""
        address = self.book.ledger.owned_by(request.key)
        if address is None or not isinstance(address.state, Assigned):
            raise CniError(
                Code.UNKNOWN_CONTAINER,
                f"CHECK: sandbox {request.key.container_id[:13]} has no address here",
                advice="the Pod needs a new sandbox",
                version=request.conf.version,
            )
        state = address.state
        host_veth = names.host_veth(state.pod.namespace, state.pod.name)
        found = cni_result.differences(address.ip, state.key.ifname, host_veth, request.previous)
        try:
            found += self._differences(address)
        except IpamError as e:
            raise failures.of_verb("CHECK", state.pod, e, request.conf.version) from e
        if found:
            raise CniError(
                Code.DRIFTED,
                f"CHECK of Pod {address.state.pod}: {'; '.join(found)}",
                advice="the agent mends the node's side by itself; a changed Pod side needs a new sandbox",
                version=request.conf.version,
            )

    def look(self, address: Address) -> list[str]:
        """Return one sentence for each difference of a sandbox, or why it could not be looked at."""
        try:
            return self._differences(address)
        except IpamError as e:
            return [e.message]

    def _differences(self, address: Address) -> list[str]:
        found = []
        if address.quarantined:
            found.append(f"the cloud does not list {address.ip} at this node any more")
        link = self.enis.link(address.eni_id)
        if link is None:
            found.append(f"ENI {address.eni_id} has no link on the node")
            return found
        with_eip = self.dataplane.check_pod(wiring(address, link, eip=True))
        if address.eip is not None and address.eip.stage is BindStage.BOUND:
            return found + with_eip
        # Else what has to be so for its EIP is the binder's business and may just be changing.
        without = self.dataplane.check_pod(wiring(address, link, eip=False))
        return found + [difference for difference in with_eip if difference in without]
