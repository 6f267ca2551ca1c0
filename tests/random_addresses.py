"""Every address that a store may hold, with times of whatever clock."""

import hypothesis.strategies as st

from ipamd.core import model
from ipamd.core.ledger import states as ledger_states

texts = st.text(min_size=1, max_size=20)
times = st.floats(allow_nan=False)
keys = st.builds(model.SandboxKey, container_id=texts, ifname=texts)
pods = st.builds(model.PodRef, namespace=texts, name=texts, uid=texts)
owned = st.one_of(
    st.builds(
        ledger_states.Assigned,
        key=keys,
        pod=pods,
        since=times,
        host_interface=texts,
        host_mac=texts,
        network=texts,
        netns=texts,
        awaits_eip=st.booleans(),
    ),
    st.builds(ledger_states.Held, key=keys, pod=pods, until=times, by_name=st.booleans()),
    st.builds(
        ledger_states.Occupied, host_interface=texts, host_mac=texts, pod=st.none() | pods, since=times
    ),
)
warm = st.builds(ledger_states.Warm, since=times)
free = st.one_of(
    st.builds(ledger_states.Cooling, until=times),
    st.builds(ledger_states.Unassigning, since=times),
)
bindings = st.builds(
    ledger_states.Binding,
    eip_id=texts,
    public_ip=texts,
    stage=st.sampled_from(ledger_states.BindStage),
    claim=texts,
    retained=st.booleans(),
)


def address_in(states, eips, fixed=st.sampled_from(["", "claim-1"])):  # noqa: B008 - a strategy is a value
    return st.builds(
        ledger_states.Address,
        ip=texts,
        eni_id=texts,
        state=states,
        added_at=times,
        eip=eips,
        missing_since=st.none() | times,
        fixed=fixed,
    )


any_address = st.one_of(
    address_in(owned, st.none() | bindings),
    address_in(free, st.none()),
    address_in(warm, st.none(), fixed=st.just("")),
    address_in(st.builds(ledger_states.Unbinding, since=times), bindings),
)
