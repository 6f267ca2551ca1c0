"""What the index beside a ledger says is what a search of all addresses says, whatever led there."""

from hypothesis import given
from hypothesis import strategies as st

from ipamd.core import model
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import (
    Address,
    Assigned,
    Binding,
    BindStage,
    Cooling,
    Held,
    Occupied,
    Unassigning,
    Unbinding,
    Warm,
)
from tests.testkit.pods import pod_ref

IPS = [f"10.0.1.{number}" for number in range(5)]
TIMES = st.sampled_from([0.0, 1.0, 1.5, 2.0])
PODS = [pod_ref(name, uid) for name in ("web-0", "web-1") for uid in ("u1", "u2")]
CONTAINERS, EIPS = ("c1", "c2", "c3"), ("eip-1", "eip-2", "eip-3")

pods = st.sampled_from(PODS)
keys = st.builds(
    model.SandboxKey, container_id=st.sampled_from(CONTAINERS), ifname=st.sampled_from(["eth0", "eth1"])
)
states = st.one_of(
    st.builds(Warm, since=TIMES),
    st.builds(Cooling, until=TIMES),
    st.builds(Unbinding, since=TIMES),
    st.builds(Unassigning, since=TIMES),
    st.builds(Held, key=keys, pod=pods, until=TIMES, by_name=st.booleans()),
    st.builds(Assigned, key=keys, pod=pods, since=TIMES, host_interface=st.just("l"), host_mac=st.just("m")),
    st.builds(Occupied, since=TIMES, host_interface=st.just("l"), pod=st.none() | pods),
)
bindings = st.builds(
    Binding, eip_id=st.sampled_from(EIPS), public_ip=st.just(""), stage=st.sampled_from(BindStage)
)
addresses = st.builds(
    Address,
    ip=st.sampled_from(IPS),
    eni_id=st.just("eni-1"),
    state=states,
    added_at=TIMES,
    eip=st.none() | bindings,
    missing_since=st.none() | TIMES,
    exclusive=st.booleans(),
    fixed=st.sampled_from(["", "claim-1"]),
)
steps = st.tuples(
    st.lists(addresses, max_size=4), st.lists(st.sampled_from(IPS), max_size=3), st.booleans(), st.booleans()
)


def free(there, *, exclusive):
    found = [a for a in there if isinstance(a.state, Warm) and not a.quarantined and a.exclusive is exclusive]
    return sorted(found, key=lambda a: (a.state.since, a.ip))


def by_ip(found):
    return sorted(found, key=lambda a: a.ip)


def check(ledger):
    there = list(ledger.addresses.values())
    assert ledger.available == free(there, exclusive=False)
    assert ledger.available_enis == free(there, exclusive=True)
    for exclusive in (False, True):
        idle = free(there, exclusive=exclusive)
        assert ledger.free(exclusive=exclusive) == len(idle)
        assert ledger.longest_idle(exclusive=exclusive) == next(iter(idle), None)
    for pod in PODS:
        assert by_ip(ledger.of_name(pod)) == by_ip(
            a for a in there if a.pod is not None and str(a.pod) == str(pod)
        )
    for container_id in CONTAINERS:
        assert by_ip(ledger.of_sandbox(container_id)) == by_ip(
            a for a in there if isinstance(a.state, Assigned) and a.state.key.container_id == container_id
        )
    for eip_id in EIPS:
        at = [a for a in there if a.eip is not None and a.eip.eip_id == eip_id]
        assert (ledger.with_eip(eip_id) in at) if at else (ledger.with_eip(eip_id) is None)
    assert ledger.has_eips is any(a.eip for a in there)
    assert by_ip(ledger.fixed) == by_ip(a for a in there if a.fixed)


@given(steps=st.lists(steps, max_size=12))
def test_it_says_what_a_search_says_after_changes_refused_writes_and_restarts(steps):
    ledger = Ledger()
    for puts, forget, refused, restarted in steps:
        changed = ledger.changed(*puts, forget=forget).ledger
        check(changed)
        check(ledger)
        if not refused:
            ledger = changed
        if restarted:
            ledger = Ledger({ip: ledger.addresses[ip] for ip in sorted(ledger.addresses)})
            check(ledger)
