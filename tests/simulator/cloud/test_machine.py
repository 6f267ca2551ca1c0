"""Random calls in random order against the region's invariants and a data plane that refuses nonsense.

The calls go straight to the region, without HTTP; `StrictFabric` fails the test when it is told something
that contradicts what it was told before.
"""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

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


class Region(RuleBasedStateMachine):
    eips = Bundle("eips")
    enis = Bundle("enis")
    instances = Bundle("instances")

    def __init__(self):
        super().__init__()
        self.clock = ManualClock()
        self.fabric = StrictFabric()
        self.region = CloudRegion(CONFIG, self.fabric, self.clock)
        self.world = self.region.read(lambda world: world)
        self.count = 0

    def call(self, name, **params):
        """Carry out an action; give its answer, or None for a refusal."""
        self.count += 1
        request = ApiRequest(
            principal=ANYONE,
            action=catalog.find("vpc", "2017-03-12", name),
            params=params,
            request_id=f"r-{self.count}",
            pause=lambda _seconds: None,
        )
        try:
            return self.region.calls.execute(request)
        except ApiError:
            return None

    @initialize(target=instances)
    def boot(self):
        return multiple(
            *(
                self.region.create_instance(InstanceOrder(instance_type=t)).instance_id
                for t in ("S5.LARGE8", "S5.SMALL2")
            )
        )

    @rule(target=eips, count=st.integers(1, 3), token=st.sampled_from([None, "a", "b"]))
    def allocate(self, count, token):
        answer = self.call("AllocateAddresses", AddressCount=count, ClientToken=token)
        return multiple(*(answer["AddressSet"] if answer else []))

    @rule(eip=eips)
    def release(self, eip):
        self.call("ReleaseAddresses", AddressIds=[eip])

    @rule(eip=eips, eni=enis, choice=st.integers(0, 5))
    def associate(self, eip, eni, choice):
        if eni in self.world.enis:
            ips = list(self.world.enis[eni].addresses)
            self.call(
                "AssociateAddress",
                AddressId=eip,
                NetworkInterfaceId=eni,
                PrivateIpAddress=ips[choice % len(ips)],
            )

    @rule(eip=eips, instance=instances)
    def associate_instance(self, eip, instance):
        self.call("AssociateAddress", AddressId=eip, InstanceId=instance)

    @rule(eip=eips, ordinary=st.booleans())
    def disassociate(self, eip, ordinary):
        self.call("DisassociateAddress", AddressId=eip, ReallocateNormalPublicIp=ordinary)

    @rule(target=enis, secondaries=st.integers(0, 4))
    def create(self, secondaries):
        answer = self.call("CreateNetworkInterface", **NEW, SecondaryPrivateIpAddressCount=secondaries)
        return answer["NetworkInterface"]["NetworkInterfaceId"] if answer else "eni-00000000"

    @rule(target=enis, instance=instances, secondaries=st.integers(0, 4))
    def create_attached(self, instance, secondaries):
        answer = self.call(
            "CreateAndAttachNetworkInterface",
            **NEW,
            InstanceId=instance,
            SecondaryPrivateIpAddressCount=secondaries,
        )
        return answer["NetworkInterface"]["NetworkInterfaceId"] if answer else "eni-00000000"

    @rule(
        action=st.sampled_from(["AttachNetworkInterface", "DetachNetworkInterface"]),
        eni=enis,
        instance=instances,
    )
    def attach_or_detach(self, action, eni, instance):
        self.call(action, NetworkInterfaceId=eni, InstanceId=instance)

    @rule(eni=enis)
    def delete(self, eni):
        self.call("DeleteNetworkInterface", NetworkInterfaceId=eni)

    @rule(eni=enis, count=st.integers(1, 6))
    def assign(self, eni, count):
        self.call("AssignPrivateIpAddresses", NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=count)

    @rule(eni=enis, choice=st.integers(0, 5))
    def unassign(self, eni, choice):
        if eni in self.world.enis:
            ips = list(self.world.enis[eni].addresses)
            self.call(
                "UnassignPrivateIpAddresses",
                NetworkInterfaceId=eni,
                PrivateIpAddresses=[{"PrivateIpAddress": ips[choice % len(ips)]}],
            )

    @rule(source=enis, destination=enis, choice=st.integers(0, 5))
    def migrate(self, source, destination, choice):
        if source in self.world.enis:
            ips = list(self.world.enis[source].addresses)
            self.call(
                "MigratePrivateIpAddress",
                SourceNetworkInterfaceId=source,
                DestinationNetworkInterfaceId=destination,
                PrivateIpAddress=ips[choice % len(ips)],
            )

    @rule(kind=st.sampled_from([FaultKind.TASK_FAILURE, FaultKind.PARTIAL]))
    def doom_the_next(self, kind):
        self.region.faults.add(Fault(kind=kind, count_given=1))

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.1, 0.2, 1.0, 3600.0, 86400.0]))
    def pass_time(self, seconds):
        self.clock.advance(seconds)
        self.region.run_due()

    @rule(instance=instances)
    def replace_instance(self, instance):
        if instance in self.world.instances:
            self.region.terminate_instance(instance)
            try:
                self.region.create_instance(InstanceOrder(instance_id=instance))
            except ValueError:
                assert not list(self.world.free_ips("subnet-demo0001"))

    @invariant()
    def an_address_is_on_one_eni(self):
        ips = [ip for eni in self.world.enis.values() for ip in eni.addresses]
        assert len(ips) == len(set(ips))
        free = list(self.world.free_ips("subnet-demo0001"))
        assert not set(free) & set(ips)
        assert len(free) + len(ips) == self.world.total_ips("subnet-demo0001")

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
TestRegion.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
