"""Random calls in random order against the region's invariants and a data plane that refuses nonsense.

The calls go straight to the region, without HTTP; `StrictFabric` fails the test when it is told something
that contradicts what it was told before.
"""

import contextlib

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simulator.cloud import (
    CloudRegion,
    Fault,
    FaultKind,
    InstanceOrder,
    ManualClock,
    RateLimits,
    RegionConfig,
)
from simulator.cloud.accounts import Principal
from simulator.cloud.actions import catalog
from simulator.cloud.calls import ApiRequest
from simulator.cloud.config import Quotas, SubnetConfig, VpcConfig
from simulator.cloud.situations import ApiError
from simulator.cloud.state.resources import EipStatus, EniState, IpState
from tests.simulator.cloud.conftest import StrictFabric

CONFIG = RegionConfig(
    vpc=VpcConfig(subnets=(SubnetConfig(cidr="10.0.1.0/27"),)),
    rate_limits=RateLimits(enabled=False),
    quotas=Quotas(total_eips=6, daily_eip_applications=15),
    seed=0,
)
ANYONE = Principal(name="demo", allow=("*",), deny=())
NEW = {"VpcId": "vpc-demo0001", "SubnetId": "subnet-demo0001", "NetworkInterfaceName": "x"}
BOUND = (EipStatus.BINDING, EipStatus.BIND, EipStatus.UNBINDING, EipStatus.BIND_ENI)


NTH = st.integers(0, 1000)
"""Chooses an object by its number, modulo how many there are."""


class Region(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.clock = ManualClock()
        self.fabric = StrictFabric()
        self.region = CloudRegion(CONFIG, self.fabric, self.clock)
        self.world = self.region.read(lambda world: world)
        self.count = 0
        self.pace = 0.0

    def call(self, name, **params):
        """Carry out an action, which may be refused."""
        self.pass_time(self.pace)
        self.count += 1
        request = ApiRequest(
            principal=ANYONE,
            action=catalog.find("vpc", "2017-03-12", name),
            params=params,
            request_id=f"r-{self.count}",
            pause=lambda _seconds: None,
        )
        with contextlib.suppress(ApiError):
            self.region.calls.execute(request)

    def eip(self, nth):
        ids = list(self.world.addresses)
        return ids[nth % len(ids)]

    def eni(self, nth, **wanted):
        enis = [e for e in self.world.enis.values() if all(getattr(e, k) == v for k, v in wanted.items())]
        return (enis or list(self.world.enis.values()))[nth % max(1, len(enis))]

    def secondary(self, eni, nth):
        ips = [p.ip for p in eni.addresses.values() if not p.primary] or list(eni.addresses)
        return ips[nth % len(ips)]

    @initialize(pace=st.sampled_from([0.05, 0.12, 1.0]))
    def boot(self, pace):
        self.pace = pace
        for kind in ("S5.LARGE8", "S5.SMALL2"):
            self.region.create_instance(InstanceOrder(instance_type=kind))
        self.call("AllocateAddresses", AddressCount=3)

    def instance(self, nth):
        return list(self.world.instances)[nth % len(self.world.instances)]

    @rule(count=st.integers(1, 3), token=st.sampled_from([None, "a", "b"]))
    def allocate(self, count, token):
        self.call("AllocateAddresses", AddressCount=count, ClientToken=token)

    @precondition(lambda self: self.world.addresses)
    @rule(eip=NTH)
    def release(self, eip):
        self.call("ReleaseAddresses", AddressIds=[self.eip(eip)])

    @precondition(lambda self: self.world.addresses)
    @rule(eip=NTH, eni=NTH, ip=NTH)
    def associate(self, eip, eni, ip):
        found = self.eni(eni)
        self.call(
            "AssociateAddress",
            AddressId=self.eip(eip),
            NetworkInterfaceId=found.eni_id,
            PrivateIpAddress=self.secondary(found, ip),
        )

    @precondition(lambda self: self.world.addresses)
    @rule(eip=NTH, instance=NTH)
    def associate_instance(self, eip, instance):
        self.call("AssociateAddress", AddressId=self.eip(eip), InstanceId=self.instance(instance))

    @precondition(lambda self: self.world.addresses)
    @rule(eip=NTH, ordinary=st.booleans())
    def disassociate(self, eip, ordinary):
        self.call("DisassociateAddress", AddressId=self.eip(eip), ReallocateNormalPublicIp=ordinary)

    @rule(secondaries=st.integers(0, 4))
    def create(self, secondaries):
        self.call("CreateNetworkInterface", **NEW, SecondaryPrivateIpAddressCount=secondaries)

    @rule(instance=NTH, secondaries=st.integers(0, 4))
    def create_attached(self, instance, secondaries):
        self.call(
            "CreateAndAttachNetworkInterface",
            **NEW,
            InstanceId=self.instance(instance),
            SecondaryPrivateIpAddressCount=secondaries,
        )

    @rule(eni=NTH, instance=NTH)
    def attach(self, eni, instance):
        found = self.eni(eni, instance_id="")
        self.call(
            "AttachNetworkInterface", NetworkInterfaceId=found.eni_id, InstanceId=self.instance(instance)
        )

    @rule(eni=NTH)
    def detach(self, eni):
        found = self.eni(eni, primary=False)
        instance_id = found.instance_id or self.instance(0)
        self.call("DetachNetworkInterface", NetworkInterfaceId=found.eni_id, InstanceId=instance_id)

    @rule(eni=NTH)
    def delete(self, eni):
        self.call("DeleteNetworkInterface", NetworkInterfaceId=self.eni(eni, instance_id="").eni_id)

    @rule(eni=NTH, count=st.integers(1, 6))
    def assign(self, eni, count):
        eni_id = self.eni(eni).eni_id
        self.call("AssignPrivateIpAddresses", NetworkInterfaceId=eni_id, SecondaryPrivateIpAddressCount=count)

    @rule(eni=NTH, ip=NTH)
    def unassign(self, eni, ip):
        found = self.eni(eni)
        ips = [{"PrivateIpAddress": self.secondary(found, ip)}]
        self.call("UnassignPrivateIpAddresses", NetworkInterfaceId=found.eni_id, PrivateIpAddresses=ips)

    @rule(eni=NTH, host=st.integers(1, 31))
    def assign_named(self, eni, host):
        ips = [{"PrivateIpAddress": f"10.0.1.{host}"}]
        eni_id = self.eni(eni).eni_id
        self.call("AssignPrivateIpAddresses", NetworkInterfaceId=eni_id, PrivateIpAddresses=ips)

    @rule(hosts=st.lists(st.integers(1, 31), max_size=2))
    def reserve(self, hosts):
        ips = [f"10.0.1.{host}" for host in hosts]
        wish = {"IpAddresses": ips} if ips else {"IpAddressCount": 1}
        self.call("CreateReserveIpAddresses", VpcId="vpc-demo0001", SubnetId="subnet-demo0001", **wish)

    @precondition(lambda self: self.world.reservations)
    @rule(nth=NTH)
    def give_up(self, nth):
        ids = list(self.world.reservations)
        going = [ids[nth % len(ids)]]
        self.call("DeleteReserveIpAddresses", VpcId="vpc-demo0001", ReserveIpIds=going)

    @rule(source=NTH, destination=NTH, ip=NTH)
    def migrate(self, source, destination, ip):
        found = self.eni(source)
        self.call(
            "MigratePrivateIpAddress",
            SourceNetworkInterfaceId=found.eni_id,
            DestinationNetworkInterfaceId=self.eni(destination).eni_id,
            PrivateIpAddress=self.secondary(found, ip),
        )

    @rule(kind=st.sampled_from([FaultKind.TASK_FAILURE, FaultKind.PARTIAL]))
    def doom_the_next(self, kind):
        self.region.faults.add(Fault(kind=kind, count_given=1))

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.12, 1.0, 1.0]))
    def set_pace(self, seconds):
        """Choose how much time passes before each call: with 1.0 all tasks have ended."""
        self.pace = seconds

    @rule()
    def sleep_until_tomorrow(self):
        self.pass_time(86400.0)

    def pass_time(self, seconds):
        self.clock.advance(seconds)
        self.region.run_due()

    @rule(instance=NTH)
    def replace_instance(self, instance):
        instance_id = self.instance(instance)
        kind = self.world.instances[instance_id].instance_type
        self.region.terminate_instance(instance_id)
        self.region.create_instance(InstanceOrder(instance_id=instance_id, instance_type=kind))

    @invariant()
    def an_address_is_on_one_eni(self):
        ips = [ip for eni in self.world.enis.values() for ip in eni.addresses]
        assert len(ips) == len(set(ips))
        free = list(self.world.free_ips("subnet-demo0001"))
        kept = [reservation.ip for reservation in self.world.reservations.values()]
        assert len(kept) == len(set(kept))
        assert not set(free) & {*ips, *kept}
        assert len(free) + len({*ips, *kept}) == self.world.total_ips("subnet-demo0001")

    @invariant()
    def an_eip_is_bound_to_one_address_of_an_eni_that_exists(self):
        bound = [(a.eni_id, a.private_ip) for a in self.world.addresses.values() if a.private_ip]
        assert len(bound) == len(set(bound))
        for address in self.world.addresses.values():
            doomed = address.task_id and self.world.tasks[address.task_id].doomed
            assert bool(address.private_ip) == (address.status in BOUND) == bool(address.eni_id)
            assert (
                doomed
                or not address.private_ip
                or address.private_ip in self.world.enis[address.eni_id].addresses
            )

    @invariant()
    def the_data_plane_is_told_nothing_contradictory(self):
        assert self.fabric.violations == []

    @invariant()
    def quotas_hold(self):
        assert len(self.world.eips(single_isp=False)) <= 6
        assert self.world.daily.today("DAILY_EIP_APPLY", self.clock.now()) <= 15
        public = [a.ip for a in self.world.addresses.values()]
        assert len(public) == len(set(public))
        for instance in self.world.instances.values():
            kind = self.world.types[instance.instance_type]
            enis = self.world.enis_of(instance.instance_id)
            assert len(enis) <= kind.enis
            assert len(self.world.addresses_of_instance(instance.instance_id)) <= kind.public_ips
            assert len({eni.device_index for eni in enis}) == len(enis)
            assert all(len(eni.addresses) <= kind.ips_per_eni for eni in enis)

    @invariant()
    def what_is_busy_has_a_task_and_the_other_way_round(self):
        pending = {t.task.task_id for _due, _order, t in self.world.schedule._heap}
        for address in self.world.addresses.values():
            transitional = address.status not in (EipStatus.UNBIND, EipStatus.BIND, EipStatus.BIND_ENI)
            assert not address.task_id or address.task_id in pending
            assert not transitional or address.task_id or address.address_type == "WanIP"
        for eni in self.world.enis.values():
            assert not eni.ip_task_id or eni.ip_task_id in pending

    def teardown(self):
        self.clock.advance(10)
        self.region.run_due()
        world = self.world
        assert all(eni.state is EniState.AVAILABLE for eni in world.enis.values())
        assert all(
            p.state is IpState.AVAILABLE for eni in world.enis.values() for p in eni.addresses.values()
        )
        # The data plane ends up with exactly what the API shows.
        assert self.fabric.ips == {
            ip: e.eni_id for e in world.enis.values() if e.instance_id for ip in e.addresses
        }
        assert self.fabric.eips == {a.ip: a.private_ip for a in world.addresses.values() if a.private_ip}
        for address in world.addresses.values():
            expected = world.bound_status(address.eni_id) if address.private_ip else EipStatus.UNBIND
            assert address.status is expected
        self.region.close()


TestRegion = Region.TestCase
TestRegion.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
