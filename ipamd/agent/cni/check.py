"""CHECK: is the kernel still what ADD made, and is ADD's result still what the ledger says?

Looks and changes nothing; what is found is named, so that a person can act on it. It looks in the address's
turn, so that it never sees an ADD, a DEL or the bind of an EIP in the middle.
Thread safety: any number of CHECKs run at once.
"""

import time
from dataclasses import dataclass, replace

from ipamd.agent.enis import NodeEnis
from ipamd.agent.pods import errors
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.wiring import wiring
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cni import result
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.cni.requests import CheckRequest
from ipamd.core.errors import IpamError
from ipamd.core.ledger.states import Address, Assigned
from ipamd.core.timing.deadline import Deadline
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import ChainedLink

_LOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Serves CHECK."""

    shared_ledger: SharedLedger
    enis: NodeEnis
    dataplane: DataPlane
    locks: PodLocks

    def check(self, request: CheckRequest) -> None:
        """Return when all is well; CniError names what is not."""
        address = self.shared_ledger.current.owned_by(request.key)
        if address is None or not isinstance(address.state, Assigned):
            raise CniError(
                Code.UNKNOWN_CONTAINER,
                f"CHECK: sandbox {request.key.container_id[:13]} has no address here",
                advice="the Pod needs a new sandbox",
                version=request.conf.version,
            )
        state = address.state
        found = result.differences(address.ip, state.key.ifname, state.host_interface, request.previous)
        try:
            chained = _chained(request.previous, state.key.ifname)
            found += self._differences(address, request.netns, chained)
        except IpamError as e:
            raise errors.of_verb("CHECK", state.pod, e, request.conf.version) from e
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

    def advice(self, address: Address) -> str:
        """Return what a person does about the node's side of a sandbox; empty where the repair does it."""
        link = self.enis.link(address.eni_id)
        if link is None:
            return ""
        try:
            found = self.dataplane.check_node_side(wiring(address, link))
        except IpamError:
            return ""  # `look` says why
        codes = (different.code.facts for different in found)
        return next((facts.next_step for facts in codes if not facts.mended), "")

    def _differences(self, seen: Address, netns: str = "", chained: ChainedLink | None = None) -> list[str]:
        """Compare; `netns`, if given, is looked into where only a lost store knew the namespace."""
        with self.locks.of_address(seen.ip, Deadline.after(_LOCK_SECONDS, time.monotonic)):
            address = self.shared_ledger.current.addresses.get(seen.ip)
            if address is None or not isinstance(address.state, Assigned) or address.pod != seen.pod:
                return [f"{seen.ip} was given to another sandbox, or freed, meanwhile"]
            found = []
            if address.quarantined:
                found.append(f"the cloud does not list {address.ip} at this node any more")
            link = self.enis.link(address.eni_id)
            if link is None:
                found.append(f"ENI {address.eni_id} has no link on the node")
                return found
            pod = wiring(address, link)
            pod = replace(pod, netns_path=pod.netns_path or netns)
            if not pod.netns_path:
                return found + [different.text for different in self.dataplane.check_node_side(pod)]
            return found + self.dataplane.check_pod(pod, chained)


def _chained(previous: result.PreviousResult, ifname: str) -> ChainedLink:
    """Return what plugins after ours have made of the Pod's interface, as the runtime was told."""
    interface = previous.inside(ifname)
    return ChainedLink(mac=interface.mac.lower(), mtu=interface.mtu) if interface else ChainedLink()
