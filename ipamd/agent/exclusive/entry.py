"""How an operator is told of an ENI that one Pod has as a whole: an entry of `ListEnis`. Pure."""

from ipamd.agent.exclusive_enis import ExclusiveEni
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Assigned, Occupied
from ipamd.core.ledger.uses import use_of
from ipamd.net.exclusive_eni import spare_name
from ipamd.rpc import introspection_pb2 as messages


def entry(eni: ExclusiveEni, shared_ledger: ledger.Ledger) -> messages.EniEntry:
    """Return the entry of an ENI that one Pod has as a whole, or may have."""
    address = next((a for a in shared_ledger.addresses.values() if a.eni_id == eni.eni_id), None)
    use = use_of(address) if address is not None else None
    in_use = address is not None and isinstance(address.state, Assigned | Occupied)
    return messages.EniEntry(
        eni_id=eni.eni_id,
        interface="" if in_use else spare_name(eni.mac),
        mac=eni.mac,
        subnet_id=eni.subnet_id,
        state=eni.condition,
        addresses=int(address is not None),
        in_use=int(in_use),
        address_limit=1,
        exclusive=True,
        use=use.word if use is not None else "",
        pod=use.pod if use is not None else "",
    )
