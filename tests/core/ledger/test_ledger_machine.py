"""Thousands of random lives of Pods, sandboxes and EIPs against the ledger, with a cloud that is late.

The machine plays the agent's shell as badly as it may be played: it reloads the ledger from what was
persisted at any moment (a crash), takes in stale and short listings, and lets cloud tasks finish whenever
they like. A reboot begins the clock anew.
"""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ipamd.core import model, tags
from ipamd.core.ledger import (
    acquisition,
    cloud_listing,
    eip_records,
    fixed_addresses,
    ledger,
    restart,
    states,
)

# 16,000 steps are 20 s of CPU, and minutes on a machine that others use.
pytestmark = pytest.mark.timeout(600)

COOLDOWN = 30.0
HOLD = 120.0
SPANS = restart.Spans(hold=HOLD, cooldown=COOLDOWN)
ENI = "eni-1"
IPS = [f"10.0.1.{n}" for n in range(10, 15)]
FIXED_IPS = {"db-0": "10.0.1.30", "db-1": "10.0.1.31"}
"""Addresses of VpcIPClaims by the name that each belongs to; the name stands for the claim's UID as well."""
NAMES = ("web-0", "web-1", "job", *FIXED_IPS)
EXCLUSIVE_IPS = [f"10.0.1.{n}" for n in range(20, 23)]
"""Primary addresses of ENIs that Pods have as a whole."""


OF_FIXED = {ip: name for name, ip in FIXED_IPS.items()}


class NodeMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.current = ledger.Ledger()
        self.disk = {}
        # What is true outside: addresses of the ENI, EIP at an address, sandboxes that really run.
        self.cloud_ips = set()
        self.cloud_eips = {}
        self.snapshots = []
        self.live = {}
        self.freed = {}
        self.containers = 0
        self.incarnation = dict.fromkeys(NAMES, 0)

    def apply(self, transition):
        """Persist, then believe: what the shell's ledger does."""
        for address in transition.changed:
            self.disk[address.ip] = address
        for ip in transition.forgotten:
            del self.disk[ip]
        self.current = transition.ledger
        return transition

    def pod(self, name):
        return model.PodRef(namespace="default", name=name, uid=f"{name}-{self.incarnation[name]}")

    def listing(self, left_out=()):
        shown = sorted(self.cloud_ips.difference(left_out))
        eni = self.eni(ENI, [ip for ip in shown if ip not in EXCLUSIVE_IPS], primary=False)
        whole = tuple(self.eni(f"eni-{ip}", [ip], primary=True) for ip in shown if ip in EXCLUSIVE_IPS)
        doubtful = cloud_listing.doubtful(self.current, (eni, *whole))
        loose = {eip_id for eip_id, a in doubtful.items() if self.cloud_eips.get(a.ip) != eip_id}
        return cloud_listing.CloudListing(
            enis=(eni,), exclusive=whole, as_of=self.now, loose=frozenset(loose)
        )

    def eni(self, eni_id, ips, *, primary):
        entries = tuple(
            model.EniAddress(
                ip=ip,
                primary=primary,
                state=model.IpState.AVAILABLE,
                eip_id=self.cloud_eips.get(ip, ""),
                description=tags.address_description(OF_FIXED[ip]) if ip in OF_FIXED else "",
            )
            for ip in ips
        )
        return model.Eni(
            eni_id=eni_id,
            mac="",
            vpc_id="",
            subnet_id="",
            primary=False,
            state=model.EniState.AVAILABLE,
            instance_id="",
            addresses=entries,
        )

    def record_freed(self):
        for address in self.current.in_state(states.Cooling):
            self.freed[address.ip] = address.state.until

    @initialize(count=st.integers(1, 3))
    def start(self, count):
        self.assign(count)

    @rule(count=st.integers(1, 3))
    def assign(self, count):
        ips = [ip for ip in IPS if ip not in self.cloud_ips][:count]
        self.cloud_ips.update(ips)
        self.apply(ledger.adopt(self.current, ENI, ips, self.now))

    @rule()
    def attach_an_exclusive_eni(self):
        self.cloud_ips.update([ip for ip in EXCLUSIVE_IPS if ip not in self.cloud_ips][:1])
        self.apply(cloud_listing.observe(self.current, self.listing(), self.now))

    @rule(lost=st.booleans(), exclusive=st.booleans())
    def unassign(self, lost, exclusive):
        available = self.current.available_enis if exclusive else self.current.available
        if not available:
            return
        ip = available[-1].ip
        self.apply(ledger.retire(self.current, [ip], self.now))
        self.cloud_ips.discard(ip)
        self.cloud_eips.pop(ip, None)
        if not lost:
            self.apply(ledger.forget(self.current, [ip]))

    @rule(name=st.sampled_from(sorted(FIXED_IPS)), answered=st.booleans(), refused=st.booleans())
    def assign_fixed(self, name, answered, refused):
        """The address of a claim is asked for; whether the answer is ever heard is another matter."""
        ip, known = FIXED_IPS[name], self.current.addresses.get(FIXED_IPS[name])
        hold = fixed_addresses.FixedHold(claim_uid=name, pod=self.pod(name), until=self.now + HOLD)
        if known is not None and not (known.quarantined and isinstance(known.state, states.Held)):
            self.apply(fixed_addresses.reclaim(self.current, ip, hold, self.now))
            return
        self.apply(fixed_addresses.begin_assign(self.current, ip, ENI, hold, self.now))
        if refused and ip not in self.cloud_ips:
            self.apply(fixed_addresses.abandon(self.current, ip, name))
            return
        self.cloud_ips.add(ip)
        if answered:
            self.apply(fixed_addresses.confirm_assigned(self.current, ip, name))

    @rule(name=st.sampled_from(sorted(FIXED_IPS)))
    def let_fixed_go(self, name):
        if address := self.current.addresses.get(FIXED_IPS[name]):
            self.apply(fixed_addresses.let_go(self.current, address, self.now))

    @rule(answered=st.booleans())
    def unassign_fixed(self, answered):
        for address in self.current.fixed:
            if isinstance(address.state, states.Unassigning):
                self.cloud_ips.discard(address.ip)
                if answered:
                    self.apply(ledger.forget(self.current, [address.ip]))

    @rule(name=st.sampled_from(NAMES), exclusive=st.booleans())
    def add(self, name, exclusive):
        """Annotations of a Pod may be changed: its next sandbox is of the other mode."""
        self.containers += 1
        key = model.SandboxKey(container_id=f"c{self.containers}", ifname="eth0")
        fixed_ip = None if exclusive else FIXED_IPS.get(name)
        attachment = acquisition.Attachment(
            key=key, pod=self.pod(name), exclusive=exclusive, fixed_ip=fixed_ip
        )
        before = self.current
        transition = self.apply(acquisition.acquire(self.current, attachment, COOLDOWN, self.now))
        if transition.address is None:
            return
        ip = transition.address.ip
        previous = before.addresses[ip]
        if transition.address.state == previous.state:
            self.live.pop(previous.state.key, None)
            self.apply(acquisition.take_over(self.current, previous, attachment, COOLDOWN, self.now))
        for address in acquisition.superseded(self.current, attachment):
            self.live.pop(address.state.key, None)
            self.apply(ledger.release(self.current, address.state.key, None, COOLDOWN, self.now))
        self.record_freed()
        assert not previous.quarantined, "given although the cloud does not list it"
        assert previous.exclusive == exclusive, "an address of the other mode"
        assert previous.fixed in ("", name), "the address of another name"
        assert fixed_ip in (None, ip), "another address than the claim's"
        of_mode = before.exclusive if exclusive else before.shared
        own = [a.ip for a in of_mode.of_name(attachment.pod) if a.pod == attachment.pod and not a.quarantined]
        assert ip in own or not own, "the Pod's own address was passed over"
        if previous.pod is not None and previous.pod != attachment.pod:
            assert (
                previous.state.by_name if isinstance(previous.state, states.Held) else previous.eip.retained
            )
        if isinstance(previous.state, states.Warm):
            assert ip not in self.cloud_eips, "given with an EIP still bound"
            assert self.freed.get(ip, 0.0) <= self.now, "given before its cool-down was over"
        assert ip not in [owned for _, owned in self.live.values()], "two sandboxes with one address"
        self.live[key] = (name, ip)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), hold=st.sampled_from([None, False, True]))
    def delete(self, data, hold):
        key = data.draw(st.sampled_from(sorted(self.live)))
        self.live.pop(key)
        owned = self.current.owned_by(key)
        by_name = bool(hold) or bool(owned is not None and owned.fixed)
        kept = None if hold is None else ledger.AddressHold(until=self.now + HOLD, by_name=by_name)
        self.apply(ledger.release(self.current, key, kept, COOLDOWN, self.now))
        self.record_freed()

    @rule(container=st.integers(0, 40))
    def delete_again(self, container):
        key = model.SandboxKey(container_id=f"c{container}", ifname="eth0")
        if key not in self.live:
            self.apply(ledger.release(self.current, key, None, COOLDOWN, self.now))
            self.record_freed()

    @rule(name=st.sampled_from(NAMES))
    def pod_is_replaced(self, name):
        self.incarnation[name] += 1

    @precondition(lambda self: self.current.in_state(states.Assigned, states.Held))
    @rule(data=st.data(), retained=st.booleans())
    def bind(self, data, retained):
        """The cloud is asked; whether the answer is ever heard is another matter."""
        candidates = self.current.in_state(states.Assigned, states.Held)
        address = data.draw(st.sampled_from(sorted(candidates, key=lambda a: a.ip)))
        eip_id = f"eip-claim-{address.state.pod.name}"
        elsewhere = self.current.with_eip(eip_id)
        if address.eip is not None or elsewhere is not None or eip_id in self.cloud_eips.values():
            return
        wanted = states.Binding(
            eip_id=eip_id, public_ip="", stage=states.BindStage.BINDING, retained=retained
        )
        self.apply(eip_records.begin_bind(self.current, address.ip, wanted))
        if address.ip not in self.cloud_eips and address.ip in self.cloud_ips:
            self.cloud_eips[address.ip] = eip_id

    @rule()
    def confirm(self):
        for address in list(self.current.addresses.values()):
            if address.eip is not None and self.cloud_eips.get(address.ip) == address.eip.eip_id:
                self.apply(eip_records.confirm_bound(self.current, address.ip, address.eip.eip_id))

    @rule(answered=st.booleans())
    def unbind(self, answered):
        for address in self.current.in_state(states.Unbinding):
            self.apply(eip_records.begin_unbind(self.current, address.ip, address.eip.eip_id))
            if self.cloud_eips.get(address.ip) == address.eip.eip_id:
                del self.cloud_eips[address.ip]
            if answered:
                self.apply(
                    eip_records.confirm_unbound(
                        self.current, address.ip, address.eip.eip_id, COOLDOWN, self.now
                    )
                )
        self.record_freed()

    @rule()
    def eip_is_unbound_from_outside(self):
        for ip in sorted(self.cloud_eips)[:1]:
            del self.cloud_eips[ip]

    @rule(seconds=st.sampled_from([1.0, 20.0, 40.0, 130.0]))
    def time_passes(self, seconds):
        self.now += seconds
        self.apply(ledger.expire(self.current, COOLDOWN, self.now))
        self.record_freed()

    @rule(left_out=st.sets(st.sampled_from(IPS + EXCLUSIVE_IPS), max_size=3))
    def remember_a_listing(self, left_out):
        """It may be late by the time it is taken in, and it may be short."""
        self.snapshots.append(self.listing(left_out))

    @rule(data=st.data(), fresh=st.booleans())
    def observe(self, data, fresh):
        if fresh or not self.snapshots:
            seen = self.listing()
        else:
            seen = replace(data.draw(st.sampled_from(self.snapshots[-3:])), as_of=self.now)
        owners = {a.ip for a in self.current.in_state(states.Assigned, states.Held)}
        recorded = {a.ip for a in self.current.addresses.values() if a.eip is not None}
        self.apply(cloud_listing.observe(self.current, seen, self.now))
        assert owners <= set(self.current.addresses), "an owner was dropped because of a listing"
        assert recorded <= {a.ip for a in self.current.addresses.values() if a.eip is not None}

    @rule()
    def crash(self):
        self.current = ledger.Ledger.of(self.disk.values())
        assert not self.apply(restart.restarted(self.current, SPANS, self.now)), (
            "a time of this boot was doubted"
        )

    @rule(uptime=st.sampled_from([10.0, 40.0, 10_000.0]))
    def reboot(self, uptime):
        self.live.clear()
        self.snapshots.clear()
        self.current = ledger.Ledger.of(self.disk.values())
        self.now = uptime
        self.apply(restart.rebooted(self.current, SPANS, self.now))
        self.freed.clear()
        self.record_freed()

    @invariant()
    def the_store_is_the_ledger(self):
        assert dict(self.current.addresses) == self.disk

    @invariant()
    def the_ledgers_own_invariants_hold(self):
        assert ledger.violations(self.current) == []

    @invariant()
    def what_is_asked_of_all_addresses_is_what_they_say(self):
        addresses = list(self.current.addresses.values())
        for exclusive, available in (
            (False, self.current.available),
            (True, self.current.available_enis),
        ):
            free = [
                a
                for a in addresses
                if isinstance(a.state, states.Warm) and not a.quarantined and a.exclusive is exclusive
            ]
            assert available == sorted(free, key=lambda a: (a.state.since, a.ip))
            assert self.current.free(exclusive=exclusive) == len(free)
            assert self.current.longest_idle(exclusive=exclusive) == next(iter(available), None)
        assert sorted(a.ip for a in self.current.fixed) == sorted(a.ip for a in addresses if a.fixed)
        assert self.current.has_eips == any(a.eip for a in addresses)
        for address in addresses:
            if address.eip is not None:
                assert self.current.with_eip(address.eip.eip_id) == address

    @invariant()
    def no_fixed_address_is_free_for_every_pod(self):
        assert not {a.ip for a in self.current.available} & set(OF_FIXED)

    @invariant()
    def every_live_sandbox_has_its_own_address(self):
        ips = [ip for _, ip in self.live.values()]
        assert len(ips) == len(set(ips))
        for key, (_, ip) in self.live.items():
            assert self.current.owned_by(key).ip == ip

    @invariant()
    def no_eip_that_we_bound_is_unrecorded(self):
        for ip, eip_id in self.cloud_eips.items():
            entry = self.current.addresses.get(ip)
            assert entry is not None
            assert entry.eip is not None
            assert entry.eip.eip_id == eip_id


NodeMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=80, deadline=None)
test_random_lives_of_pods = NodeMachine.TestCase
