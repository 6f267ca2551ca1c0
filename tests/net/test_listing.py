"""What is decoded by hand is what pyroute2 decodes."""

import ipaddress

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ipamd.net import listing, rtnetlink
from ipamd.net.netlink import ROUTE, NetlinkSocket

pytestmark = pytest.mark.netns
POD = "10.0.1.100"

FOREIGN = [
    "ip rule add from 10.0.1.0/24 lookup 99 priority 77",
    "ip rule add not to 192.0.2.1 iif lo oif eth0 fwmark 0x1/0xff lookup 5000 priority 78",
    "ip rule add from 192.0.2.7 blackhole priority 79",
    "ip route add blackhole 192.0.2.0/25",
    "ip route add 192.0.2.128/25 via 10.0.1.20 table 5000",
    "ip address add 192.0.2.9/30 dev eth1",
    "ip neighbour add 10.0.1.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent",
    "ip neighbour add proxy 10.0.1.78 dev eth0",
    "ip link set eth1 alias something",
    "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1",
]


def decoded(message_class, data):
    message = message_class(data)
    message.decode()
    return message


def table_of(theirs):
    """Return the table of a route or rule; the header's field holds 8 bits only."""
    return theirs.get_attr("RTA_TABLE" if isinstance(theirs, rtmsg) else "FRA_TABLE") or theirs["table"]


@pytest.fixture
def answers(world):
    """Give a function that returns what the kernel answers to a request."""
    world.add_pod(POD, alias="a Pod")
    for command in FOREIGN:
        world.node.run(*command.split())

    def ask(request):
        def dump():
            with NetlinkSocket(ROUTE) as channel:
                return channel.dump(request, "list")

        found = world.on_node(dump)
        assert found
        return found

    return ask


def test_links(world, answers):
    world.node.run("sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=0")

    def setting(name, link):
        return world.node.run("sysctl", "-n", f"net/ipv4/conf/{link}/{name}").strip() == "1"

    for answer in answers(rtnetlink.list_links()):
        ours, theirs = listing.link(answer), decoded(ifinfmsg, answer)
        families = theirs.get_attr("IFLA_AF_SPEC")
        ipv6 = families.get_attr("AF_INET6").get_attr("IFLA_INET6_CONF")
        assert ours == listing.Link(
            name=theirs.get_attr("IFLA_IFNAME"),
            ifindex=theirs["index"],
            mac=theirs.get_attr("IFLA_ADDRESS"),
            mtu=theirs.get_attr("IFLA_MTU"),
            up=bool(theirs["flags"] & 1),
            carrier=bool(theirs["flags"] & 0x10000),
            peer=theirs.get_attr("IFLA_LINK") or 0,
            downs=theirs.get_attr("IFLA_CARRIER_DOWN_COUNT"),
            ipv6=not ipv6["disable_ipv6"],
            alias=theirs.get_attr("IFLA_IFALIAS") or "",
            forwards=setting("forwarding", ours.name),
            valid_mark=setting("src_valid_mark", ours.name),
            accepts_local=setting("accept_local", ours.name),
        )
        assert listing.link_state(answer) == (ours.name, ours.ifindex, ours.up, ours.carrier, ours.downs)


def test_addresses(answers):
    for answer in answers(rtnetlink.list_addresses()):
        theirs = decoded(ifaddrmsg, answer)
        assert listing.address(answer) == (
            theirs["index"],
            theirs.get_attr("IFA_LOCAL"),
            theirs["prefixlen"],
        )


def test_routes(answers):
    for answer in answers(rtnetlink.list_routes()):
        theirs = decoded(rtmsg, answer)
        assert listing.route(answer) == listing.KernelRoute(
            table=table_of(theirs),
            protocol=theirs["proto"],
            destination=theirs.get_attr("RTA_DST") or "0.0.0.0",
            prefix_length=theirs["dst_len"],
            gateway=theirs.get_attr("RTA_GATEWAY") or "",
            ifindex=theirs.get_attr("RTA_OIF") or 0,
            kind=theirs["type"],
            source=theirs.get_attr("RTA_PREFSRC") or "",
            onlink=bool(theirs["flags"] & 4),
            metric=theirs.get_attr("RTA_PRIORITY") or 0,
        )


def test_neighbours(answers):
    for answer in answers(rtnetlink.list_neighbours()):
        theirs = decoded(ndmsg, answer)
        assert listing.neighbour(answer) == (
            theirs["ifindex"],
            theirs.get_attr("NDA_DST"),
            theirs.get_attr("NDA_LLADDR") or "",
            theirs["state"],
            bool(theirs["flags"] & 8),
        )


def test_rules(answers):
    for answer in answers(rtnetlink.list_rules()):
        theirs = decoded(fibmsg, answer)
        suppressed = theirs.get_attr("FRA_SUPPRESS_PREFIXLEN")

        def prefix(name, length):
            return f"{ipaddress.IPv4Address(theirs.get_attr(name))}/{length}" if length else ""  # noqa: B023

        assert listing.rule(answer) == listing.Rule(
            priority=theirs.get_attr("FRA_PRIORITY") or 0,
            protocol=theirs.get_attr("FRA_PROTOCOL") or 0,
            action=theirs["action"],
            table=table_of(theirs),
            mark=theirs.get_attr("FRA_FWMARK") or 0,
            mask=theirs.get_attr("FRA_FWMASK") or 0,
            iif=theirs.get_attr("FRA_IIFNAME") or "",
            oif=theirs.get_attr("FRA_OIFNAME") or "",
            source=prefix("FRA_SRC", theirs["src_len"]),
            destination=prefix("FRA_DST", theirs["dst_len"]),
            inverted=bool(theirs["flags"] & 2),
            suppressed=-1 if suppressed == 0xFFFFFFFF else suppressed,
        )
