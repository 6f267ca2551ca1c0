"""The faults of the table in docs/findings.md, in its order: what an operator meets at night.

Each is provoked by a test of this folder; `--table` writes what was said of it.
"""

OURS = {
    "a policy rule gone": ("ip rule del priority 512", "PolicyRule"),
    "the rule of an ENI gone": ("ip rule del priority 1536", "PolicyRule"),
    "the table of an ENI flushed": ("ip route flush table {table}", "EniRoute"),
    "the link of an ENI down": ("ip link set eth1 down", "EniLink"),
    "the MTU of an ENI changed": ("ip link set eth1 mtu 1400", "EniLink"),
    "ip_forward=0": ("sysctl -qw net.ipv4.ip_forward=0", "KernelSetting"),
    "src_valid_mark=0": ("sysctl -qw net.ipv4.conf.eth1.src_valid_mark=0", "KernelSetting"),
    "forwarding of an ENI off": ("sysctl -qw net.ipv4.conf.eth1.forwarding=0", "KernelSetting"),
    "the nft table gone": ("nft delete table ip tke_eni", "NftTable"),
    "the nft table for IPv6 gone": ("nft delete table ip6 tke_eni", "NftTable"),
    **{
        f"chain {chain} flushed": (f"nft flush chain ip tke_eni {chain}", "NftChain")
        for chain in (
            "sources",
            "prerouting",
            "postrouting",
            "leave_0x2000000",
            "pod_0x2000000",
            "arrive_0x2000000",
            "depart_0x2000000",
        )
    },
    "a map flushed": ("nft flush map ip tke_eni eni_returns", "NftSet"),
    "a set flushed": ("nft flush set ip tke_eni direct_cidrs", "NftSet"),
    "the map of Pods flushed": ("nft flush map ip tke_eni pods", "PodElement"),
    "the route to a Pod gone": ("ip route del {ip}", "PodRoute"),
    "the link of a Pod down": ("ip link set {veth} down", "PodLink"),
    "a Pod's address on a link of the node": ("ip address add {ip}/32 dev eth1", "PodAddressOnLink"),
}
"""What the repair mends: the command that breaks it, and the code."""

FOREIGN_NAT = (
    "nft add table ip theirs ; nft 'add chain ip theirs post {{ type nat hook postrouting priority 0 ; }}' ; "
)
OTHERS = {
    "the main rule gone": (
        "ip rule del priority 32766",
        "ip rule add priority 32766 lookup main",
        "MainRule",
    ),
    "the default route of the node gone": (
        "ip route show default > {tmp}; ip route del default",
        "ip route replace $(cat {tmp})",
        "NodeNetwork",
    ),
    "the link of the primary ENI down": (
        "ip route show default > {tmp}; ip link set eth0 down",
        "ip link set eth0 up; ip route replace $(cat {tmp})",
        "NodeNetwork",
    ),
    "a foreign rule takes a Pod's packets": (
        "ip rule add from {ip} lookup 99 priority 100",
        "ip rule del priority 100",
        "ForeignRule",
    ),
    "FORWARD DROP (iptables-nft)": (
        "iptables-nft -P FORWARD DROP",
        "iptables-nft -P FORWARD ACCEPT",
        "ForwardDrop",
    ),
    "FORWARD DROP (iptables-legacy)": (
        "iptables-legacy -P FORWARD DROP",
        "iptables-legacy -P FORWARD ACCEPT",
        "ForwardDrop",
    ),
    "a masquerade in front of ours": (
        FOREIGN_NAT + "nft add rule ip theirs post masquerade",
        "nft delete table ip theirs",
        "NatBeforeOurs",
    ),
}
"""What is left to its owner: the command that breaks it, the one that undoes it, and the code."""

FAULTS = (
    *OURS,
    *OTHERS,
    "another CNI configuration comes first",
    "the CNI configuration gone, and it cannot be written",
    "CAM denies the binding of EIPs",
    "CAM denies the creation of EIPs",
    "the quota of EIPs used up",
    "the CVM can have no more EIPs",
    "an ENI detached",
    "an EIP unbound",
    "a NAT route before the EIP's",
    "the node full",
    "the subnet full",
    "the account in arrears",
    "the cloud's API away",
    "the API server away",
    "the node's clock wrong",
    "the metadata service away at the start",
    "the daemon dead",
    "the daemon hung",
)
