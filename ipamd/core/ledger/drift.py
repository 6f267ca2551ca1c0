"""What somebody else has done to the addresses of running Pods in the cloud, in words. Pure.

The ledger takes in what a listing shows (`ipamd.core.ledger.cloud_listing`); here is what people should hear
of it.
"""

from collections.abc import Mapping

from ipamd.core import model
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, BindStage


def missing(ledger: Ledger, problems: Mapping[str, str]) -> dict[model.PodRef, str]:
    """Return what to tell the Pods whose addresses cannot be used: those in quarantine.

    `problems` says of ENIs (by id) why they themselves cannot carry Pods.
    """
    return {
        address.state.pod: _missing(address, problems.get(address.eni_id, ""))
        for _, address in sorted(ledger.addresses.items())
        if address.quarantined and isinstance(address.state, Assigned)
    }


def unbound(before: Ledger, after: Ledger) -> dict[model.PodRef, str]:
    """Return what to tell the Pods whose EIPs were bound, and by a look at the cloud are not any more."""
    found = {}
    for ip, address in sorted(after.addresses.items()):
        was = before.addresses.get(ip)
        if was is None or was.eip is None or address.eip is None or not isinstance(address.state, Assigned):
            continue
        stages = was.eip.stage, address.eip.stage
        if was.eip.eip_id == address.eip.eip_id and stages == (BindStage.BOUND, BindStage.BINDING):
            found[address.state.pod] = (
                f"somebody has unbound EIP {address.eip.public_ip} ({address.eip.eip_id}) from {ip}; "
                "it is bound again if that is possible"
            )
    return found


def eip_stage(ledger: Ledger, pod: model.PodRef) -> BindStage | None:
    """Return how far the binding of a running Pod's EIP is; None when it has none."""
    of_pod = (address.eip for address in ledger.in_state(Assigned) if address.pod == pod)
    return next((eip.stage for eip in of_pod if eip is not None), None)


def _missing(address: Address, problem: str) -> str:
    why = f"ENI {address.eni_id}: {problem}" if problem else f"the VPC does not list it at {address.eni_id}"
    return (
        f"the address {address.ip} cannot be used: {why}. It is kept for the Pod: give it back to the ENI, "
        "or delete the Pod, so that the next one gets another address"
    )
