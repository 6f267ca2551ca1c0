"""The router's nft rules as text. Pure: `router` runs what these functions give.

A packet from an ENI meets two look-ups, whatever the number of Pods: `sources` knows each assigned (port,
MAC, address) and jumps to the chain of the subnet; what it does not know is spoofed, counted by port and
dropped. The subnet's chain is one interval map (see `route_tables`) that ends in `local`, in the EIP
translation, in a NAT gateway or in a drop.

EIP translation is stateless: header fields are set from two maps and nothing remembers a connection, so a
binding that is removed from the maps ends with the next packet. Subnets without a NAT gateway need no
connection tracking at all. In the others it is needed twice: for the gateway itself, and because answers to
connections that came in through an EIP must leave through it whatever the routes say, or nobody could reach
that EIP. There the raw chain only marks the way that the routes give, connection tracking sees the private
addresses, and `translate` acts after it.

Priorities: raw is -300, connection tracking -200, mangle -150, srcnat 100, `guard` 150.
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address

from simulator.fabric.api import EniPort
from simulator.fabric.route_tables import UNROUTABLE, Egress, Interval

TABLE = "vpc"
UPLINK = "internet"
"""Name of the router's link to the internet."""
TRY_EIP = 0x10000
"""Bit of the packet mark that says: the EIP if there is one, else the NAT gateway in the lower bits."""
ICMP_ERRORS = "destination-unreachable, time-exceeded, parameter-problem"
QUOTED_SOURCE = "quoted_source"
QUOTED_DESTINATION = "quoted_destination"
"""Chains that `icmp_errors` fills: an error that comes in quotes a packet that went out, and the reverse."""


def base() -> str:
    """Give the table without instances: everything that does not depend on state."""
    private = ", ".join(UNROUTABLE)
    return f"""
table ip {TABLE} {{
  map sources {{ type ifname . ether_addr . ipv4_addr : verdict; }}
  set ports {{ type ifname; counter; }}
  map eip_of {{ type ipv4_addr : ipv4_addr; }}
  map private_of {{ type ipv4_addr : ipv4_addr; }}
  map nat_gateways {{ type mark : ipv4_addr; }}
  set nat_addresses {{ type ipv4_addr; }}
  map guarded {{ type ifname : verdict; }}

  chain {QUOTED_SOURCE} {{
  }}
  chain {QUOTED_DESTINATION} {{
  }}
  chain local {{ notrack accept; }}
  chain eip {{
    icmp type {{ {ICMP_ERRORS} }} jump {QUOTED_DESTINATION}
    ip saddr set ip saddr map @eip_of notrack accept
    drop
  }}
  chain eip_tracked {{ meta mark set {TRY_EIP} accept; }}
  chain to_private {{ notrack accept; }}
  chain from_internet {{
    ip saddr {{ {private} }} drop
    icmp type {{ {ICMP_ERRORS} }} jump {QUOTED_SOURCE}
    ip daddr set ip daddr map @private_of goto to_private
    ip daddr @nat_addresses accept
    drop
  }}
  chain prerouting {{
    type filter hook prerouting priority raw; policy drop;
    iifname . ether saddr . ip saddr vmap @sources
    iifname "{UPLINK}" goto from_internet
    iifname "lo" accept
    iifname @ports drop
  }}
  chain translate {{
    type filter hook prerouting priority mangle;
    meta mark 0 accept
    ct direction reply goto eip
    meta mark & {TRY_EIP} != 0 icmp type {{ {ICMP_ERRORS} }} jump {QUOTED_DESTINATION}
    meta mark & {TRY_EIP} != 0 ip saddr set ip saddr map @eip_of meta mark set 0
  }}
  chain output {{
    type filter hook output priority raw;
    notrack
  }}
  chain forward {{
    type filter hook forward priority filter;
    iifname "{UPLINK}" ip daddr @nat_addresses drop
  }}
  chain nat {{
    type nat hook postrouting priority srcnat;
    oifname "{UPLINK}" snat to meta mark & {TRY_EIP - 1} map @nat_gateways
  }}
  chain guard {{
    type filter hook postrouting priority srcnat + 50;
    oifname "{UPLINK}" ip saddr {{ {private} }} drop
  }}
}}
"""


def subnet_chain(cidr: str) -> str:
    """Name the chain that holds a subnet's route table."""
    return "subnet_" + cidr.replace(".", "_").replace("/", "_")


def route_tables(tables: Mapping[str, Sequence[Interval]], gateways: Mapping[str, int]) -> str:
    """Replace the routes of all subnets (by CIDR). `gateways`: mark of each NAT gateway that exists."""
    script = f"flush chain ip {TABLE} to_private\n"
    for cidr, intervals in tables.items():
        chain = subnet_chain(cidr)
        tracked = any(interval.egress.nat_gateway in gateways for interval in intervals)
        ways = ", ".join(
            f"{IPv4Address(i.first)}-{IPv4Address(i.last)} : {_verdict(i.egress, gateways, tracked=tracked)}"
            for i in intervals
        )
        script += f"add chain ip {TABLE} {chain}\nflush chain ip {TABLE} {chain}\n"
        script += f"add rule ip {TABLE} {chain} ip daddr vmap {{ {ways} }}\n"
        if tracked:
            script += f"add rule ip {TABLE} to_private ip daddr {cidr} accept\n"
    return script + f"add rule ip {TABLE} to_private notrack accept\n"


def nat_gateway(mark: int, public_ip: str, old_ip: str) -> str:
    """Make the gateway's two chains, or give it another address."""
    forget = ""
    if old_ip:
        forget = f"""
delete element ip {TABLE} nat_gateways {{ {mark} : {old_ip} }}
delete element ip {TABLE} nat_addresses {{ {old_ip} }}
"""
    return f"""
add chain ip {TABLE} nat_{mark}
add chain ip {TABLE} eip_or_nat_{mark}
flush chain ip {TABLE} nat_{mark}
flush chain ip {TABLE} eip_or_nat_{mark}
add rule ip {TABLE} nat_{mark} meta mark set {mark} accept
add rule ip {TABLE} eip_or_nat_{mark} meta mark set {TRY_EIP | mark} accept
{forget}
add element ip {TABLE} nat_gateways {{ {mark} : {public_ip} }}
add element ip {TABLE} nat_addresses {{ {public_ip} }}
"""


def add_port(link: str, port: EniPort, ips: Sequence[str]) -> str:
    """Count spoofed packets of a port and accept its own addresses as sources."""
    return f'add element ip {TABLE} ports {{ "{link}" counter }}\n' + add_sources(link, port, ips)


def remove_port(link: str, port: EniPort, ips: Sequence[str]) -> str:
    """Undo `add_port`."""
    return remove_sources(link, port, ips) + f'delete element ip {TABLE} ports {{ "{link}" }}\n'


def guard(link: str, sources: Sequence[str]) -> str:
    """Let connections through a port to its CVM come from these ranges only.

    Nothing remembers connections, so it is told by the packet: the first of TCP, the question of ping, and
    all of UDP. The hook exists from the first guarded port on, so that nobody else pays for it.
    """
    chain = guard_chain(link)
    accept = f"add rule ip {TABLE} {chain} ip saddr {{ {', '.join(sources)} }} accept\n" if sources else ""
    return (
        f"add chain ip {TABLE} ingress {{ type filter hook forward priority filter + 10; }}\n"
        f"flush chain ip {TABLE} ingress\n"
        f"add rule ip {TABLE} ingress oifname vmap @guarded\n"
        f"add chain ip {TABLE} {chain}\n"
        f"flush chain ip {TABLE} {chain}\n"
        f"{accept}"
        f"add rule ip {TABLE} {chain} tcp flags & (syn | ack) == syn drop\n"
        f"add rule ip {TABLE} {chain} icmp type echo-request drop\n"
        f"add rule ip {TABLE} {chain} meta l4proto udp drop\n"
        f'add element ip {TABLE} guarded {{ "{link}" : goto {chain} }}\n'
    )


def unguard(link: str) -> str:
    """Undo `guard`."""
    chain = guard_chain(link)
    return (
        f'delete element ip {TABLE} guarded {{ "{link}" }}\n'
        f"flush chain ip {TABLE} {chain}\n"
        f"delete chain ip {TABLE} {chain}\n"
    )


def guard_chain(link: str) -> str:
    """Name the chain that says who may connect through a port."""
    return "to_" + link.replace("-", "_")


def add_sources(link: str, port: EniPort, ips: Sequence[str]) -> str:
    """Accept addresses as sources of a port."""
    return f"add element ip {TABLE} sources {{ {_sources(link, port, ips)} }}\n"


def remove_sources(link: str, port: EniPort, ips: Sequence[str]) -> str:
    """Accept them no longer."""
    return f"delete element ip {TABLE} sources {{ {_sources(link, port, ips)} }}\n"


def bind_eip(public_ip: str, private_ip: str) -> str:
    """Translate both ways."""
    return (
        f"add element ip {TABLE} eip_of {{ {private_ip} : {public_ip} }}\n"
        f"add element ip {TABLE} private_of {{ {public_ip} : {private_ip} }}\n"
    )


def unbind_eip(public_ip: str, private_ip: str) -> str:
    """Undo `bind_eip`."""
    return (
        f"delete element ip {TABLE} eip_of {{ {private_ip} : {public_ip} }}\n"
        f"delete element ip {TABLE} private_of {{ {public_ip} : {private_ip} }}\n"
    )


def _sources(link: str, port: EniPort, ips: Sequence[str]) -> str:
    chain = subnet_chain(port.subnet_cidr)
    return ", ".join(f'"{link}" . {port.mac} . {ip} : goto {chain}' for ip in ips)


def _verdict(egress: Egress, gateways: Mapping[str, int], *, tracked: bool) -> str:
    mark = gateways.get(egress.nat_gateway)
    if egress.local:
        return "goto local"
    if mark is not None:
        return f"goto eip_or_nat_{mark}" if egress.eip else f"goto nat_{mark}"
    if not egress.eip:
        return "drop"
    return "goto eip_tracked" if tracked else "goto eip"
