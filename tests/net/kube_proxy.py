"""What kube-proxy writes for a Service into the table nat, in the form of either of its modes.

A packet that is to get the node's address is marked 0x4000 before the destination is changed, and masqueraded
last. Source: the chains of pkg/proxy/iptables and pkg/proxy/nftables, with all that is not NAT left out.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A way into a Service: address and port of it, one backend, and whether what enters is masqueraded."""

    address: str
    port: int
    backend: str
    masqueraded: bool = True


def install(namespace, mode, entries):
    """Write the rules for all entries into a namespace that has none."""
    if mode == "nftables":
        namespace.run("nft", "-f", "-", stdin=_nftables(entries))
    else:
        namespace.run(f"{mode}-restore", "--noflush", stdin=_iptables(entries))


def _iptables(entries):
    chains, rules = [], []
    for number, entry in enumerate(entries):
        service, external, endpoint = (f"KUBE-{kind}-{number}" for kind in ("SVC", "EXT", "SEP"))
        chains += [service, external, endpoint]
        into = external if entry.masqueraded else service
        host = entry.backend.split(":")[0]
        rules += [
            f"-A KUBE-SERVICES -d {entry.address}/32 -p tcp -m tcp --dport {entry.port} -j {into}",
            f"-A {external} -j KUBE-MARK-MASQ",
            f"-A {external} -j {service}",
            f"-A {service} -j {endpoint}",
            f"-A {endpoint} -s {host}/32 -j KUBE-MARK-MASQ",
            f"-A {endpoint} -p tcp -m tcp -j DNAT --to-destination {entry.backend}",
        ]
    return "\n".join(
        [
            "*nat",
            *(
                f":{chain} - [0:0]"
                for chain in ("KUBE-SERVICES", "KUBE-MARK-MASQ", "KUBE-POSTROUTING", *chains)
            ),
            "-A PREROUTING -j KUBE-SERVICES",
            "-A OUTPUT -j KUBE-SERVICES",
            "-A POSTROUTING -j KUBE-POSTROUTING",
            "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
            "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
            "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
            "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
            *rules,
            "COMMIT\n",
        ]
    )


def _nftables(entries):
    services, chains = [], []
    for number, entry in enumerate(entries):
        host = entry.backend.split(":")[0]
        into = f"external-{number}" if entry.masqueraded else f"service-{number}"
        services.append(f"{entry.address} . tcp . {entry.port} : goto {into}")
        chains.append(f"""
            chain endpoint-{number} {{
                ip saddr {host} jump mark-for-masquerade
                meta l4proto tcp dnat to {entry.backend}
            }}
            chain service-{number} {{ goto endpoint-{number}
            }}
            chain external-{number} {{
                jump mark-for-masquerade
                goto service-{number}
            }}""")
    return f"""
        table ip kube-proxy {{
            chain mark-for-masquerade {{ mark set mark or 0x4000
            }}
            {"".join(chains)}
            map service-ips {{
                type ipv4_addr . inet_proto . inet_service : verdict
                elements = {{ {", ".join(services)} }}
            }}
            chain services {{ ip daddr . meta l4proto . th dport vmap @service-ips
            }}
            chain masquerading {{
                mark and 0x4000 == 0 return
                mark set mark xor 0x4000
                masquerade fully-random
            }}
            chain nat-prerouting {{ type nat hook prerouting priority dstnat; jump services
            }}
            chain nat-output {{ type nat hook output priority -100; jump services
            }}
            chain nat-postrouting {{ type nat hook postrouting priority srcnat; jump masquerading
            }}
        }}
    """
