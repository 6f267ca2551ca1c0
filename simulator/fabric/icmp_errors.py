"""Two rules that the nft language cannot say: translation inside the headers that ICMP errors quote.

An ICMP error about a translated packet quotes it as the sender of the error saw it. Unless the quoted address
is translated as well, the receiver finds no socket for it: path MTU discovery, "connection refused" of UDP
and traceroute would fail through an EIP. The quoted IP checksum is corrected with the address, which leaves
the sum over the ICMP message as it was. The expressions are given to the kernel as netlink attributes because
nft offers no choice of checksum.
"""

from pyroute2.nftables.expressions import genex
from pyroute2.nftables.main import NFTables

NFPROTO_IPV4 = 2
TRANSPORT_HEADER = 2
"""NFT_PAYLOAD_TRANSPORT_HEADER; the quoted IP header starts 8 bytes into it."""
CHECKSUM_INET = 1
QUOTED_CHECKSUM = 8 + 10
QUOTED_SOURCE = 8 + 12
QUOTED_DESTINATION = 8 + 16


def install(table: str, chain: str, address_offset: int, address_map: str) -> None:
    """Append to a chain: replace the quoted address at an offset by its value in a map, if it has one.

    Must run on a thread inside the router's namespace.
    """
    load = genex("payload", {"DREG": 1, "BASE": TRANSPORT_HEADER, "OFFSET": address_offset, "LEN": 4})
    translate = genex("lookup", {"SET": address_map, "SREG": 1, "DREG": 1})
    store = genex(
        "payload",
        {
            "SREG": 1,
            "BASE": TRANSPORT_HEADER,
            "OFFSET": address_offset,
            "LEN": 4,
            "CSUM_TYPE": CHECKSUM_INET,
            "CSUM_OFFSET": QUOTED_CHECKSUM,
        },
    )
    with NFTables(nfgen_family=NFPROTO_IPV4) as nftables:
        nftables.begin()
        nftables.rule("add", table=table, chain=chain, expressions=([load, translate, store],))
        nftables.commit()
