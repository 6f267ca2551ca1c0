"""ENIs that are made for one VpcIPClaim alone, as the cloud lists them."""

from ipamd.core import tags
from ipamd.core.model import Eni, EniAddress, EniState, IpState


def own_eni(
    eni_id: str = "eni-own",
    ip: str = "10.0.3.7",
    *,
    instance_id: str = "",
    eip_id: str = "",
    state: EniState = EniState.AVAILABLE,
    claim_uid: str = "claim-1",
) -> Eni:
    """Return the ENI of claim `claim-1`, attached to nothing, without an EIP."""
    address = EniAddress(ip=ip, primary=True, state=IpState.AVAILABLE, eip_id=eip_id)
    return Eni(
        eni_id=eni_id,
        mac="20:90:6f:00:00:07",
        vpc_id="vpc-1",
        subnet_id="subnet-aaaaaaaa",
        primary=False,
        state=state,
        instance_id=instance_id,
        addresses=(address,) if ip else (),
        tags=tags.of_vpc_ip_claim("cls-1", claim_uid),
    )
