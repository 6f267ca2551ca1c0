"""A node's shared ENIs with a cloud and a data plane that do what a test says."""

from types import SimpleNamespace

from ipamd.agent.departures import Departures
from ipamd.agent.enis import NodeEnis
from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model, tags
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Occupied
from ipamd.core.timing.boottime import Boottime
from ipamd.net.model import EniLink
from tests.testkit.addresses import assigned

INSTANCE = "ins-1"
KEY = model.SandboxKey(container_id="c1", ifname="eth0")
USED = assigned()
AVAILABLE = model.IpState.AVAILABLE


def entry(ip, *, primary=False, state=AVAILABLE, eip_id="", public_ip=""):
    return model.EniAddress(ip=ip, primary=primary, state=state, eip_id=eip_id, public_ip=public_ip)


def eni(number=1, *ips, of=INSTANCE, primary=False, extended=False, **changes):
    """An ENI with a primary address and these."""
    addresses = (entry(f"10.0.{number}.2", primary=True), *(i if hasattr(i, "ip") else entry(i) for i in ips))
    fields = {
        "eni_id": f"eni-{number}",
        "mac": f"52:54:00:00:00:{number:02x}",
        "vpc_id": "vpc-1",
        "subnet_id": f"subnet-{number}",
        "primary": primary,
        "state": model.EniState.AVAILABLE,
        "instance_id": INSTANCE,
        "addresses": addresses,
        "security_groups": (f"sg-{number}",),
        "tags": {tags.NODE: of} if of else {},
        "extended": extended,
    }
    return model.Eni(**{**fields, **changes})


class Cloud:
    def __init__(self):
        self.enis: list[model.Eni] = []
        self.bound: list[model.Eip] = []
        self.asked_subnets: list[list[str]] = []
        self.asked_eips: list[list[str]] = []
        self.unknown_subnets: set[str] = set()

    def describe_enis(self, instance_id, deadline):
        assert instance_id == INSTANCE
        return list(self.enis)

    def describe_subnets(self, subnet_ids, deadline):
        self.asked_subnets.append(subnet_ids)
        known = [subnet_id for subnet_id in subnet_ids if subnet_id not in self.unknown_subnets]
        return [
            SimpleNamespace(subnet_id=subnet_id, cidr=f"10.0.{subnet_id.removeprefix('subnet-')}.0/24")
            for subnet_id in known
        ]

    def describe_eips(self, *, eip_ids, deadline):
        self.asked_eips.append(eip_ids)
        return self.bound


class Plane:
    """A kernel with a link for each MAC that is not missing."""

    enis: tuple[EniLink, ...] = ()
    node_ip = ""

    def __init__(self):
        self.missing: set[str] = set()
        self.awaited: list[str] = []
        self.made: list[tuple[str, str]] = []
        self.mended: list[list[tuple[str, str]]] = []
        self.forgotten: list[int] = []
        self.others: list[int] = []
        self.others_asked = 0
        self.others_error: TryAgainError | None = None

    def link(self, mac, gateway=""):
        number = int(mac[-2:], 16)
        return EniLink(
            mac=mac,
            name=f"eth{number}",
            ifindex=number,
            table=4000 + number,
            mark=number << 24,
            mtu=1500,
            gateway=gateway,
        )

    def await_link(self, mac):
        self.awaited.append(mac)
        if mac in self.missing:
            raise TryAgainError(f"no link {mac}")

    def has_eni(self, link):
        return link.mac not in self.missing

    def ensure_eni(self, mac, gateway, *, wait):
        assert wait is False
        if mac in self.missing:
            raise TryAgainError(f"no link {mac}")
        self.made.append((mac, gateway))
        return self.link(mac, gateway)

    def ensure_enis(self, wanted, seen):
        assert seen == "what was seen"
        self.mended.append(wanted)
        return [
            TryAgainError(f"no link {mac}") if mac in self.missing else self.link(mac, gateway)
            for mac, gateway in wanted
        ]

    def forget_eni(self, mark):
        self.forgotten.append(mark)

    def forget_others(self):
        self.others_asked += 1
        if self.others_error:
            raise self.others_error
        return self.others


class EniNode:
    def __init__(self, database):
        self.database, self.now = database, Boottime(1000.0)
        self.cloud, self.plane = Cloud(), Plane()
        self.wired: dict[str, Assigned | Occupied] = {}
        self.shared_ledger = SharedLedger(database, Ledger(), clock=lambda: self.now)
        self.enis = self.again()

    def again(self, database=None):
        """The next agent of the node."""
        departures = Departures(self.database, self.shared_ledger.now)
        return NodeEnis(
            SimpleNamespace(instance_id=INSTANCE),
            cloud=self.cloud,
            dataplane=self.plane,
            shared_ledger=self.shared_ledger,
            database=database or self.database,
            unknown_owners=SimpleNamespace(find=lambda: self.wired),
            exclusive=ExclusiveEnis(
                cluster_id="cls-1",
                instance_id=INSTANCE,
                dataplane=SimpleNamespace(
                    await_link=self.plane.await_link, put_away_eni=lambda _: None, enis=[], node_ip=""
                ),
                database=self.database,
                departures=departures,
            ),
            departures=departures,
        )

    def look(self, *listed):
        self.now = Boottime(self.now + 1.0)
        self.cloud.enis = list(listed)
        self.enis.look(None)

    def own(self, ip, state=USED, eip=None):
        """Let somebody have an address."""
        known = self.shared_ledger.current.addresses[ip]
        changed = Address(
            ip=ip, eni_id=known.eni_id, state=state, added_at=known.added_at, eip=eip, exclusive=False
        )
        self.shared_ledger.apply(lambda current: current.changed(changed))

    @property
    def addresses(self):
        return self.shared_ledger.current.addresses

    @property
    def gauge(self):
        (metric,) = self.enis.metrics()
        return {state: count for (state,), count in metric.samples.items() if count}
