"""CVM types: vCPUs, memory, and how many ENIs, addresses and public IPs they take.

The numbers are those of document 576/18527 (ENIs and addresses) and 1199/41648 (public IPs). Pure functions
and constants.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from simulator.cloud.config import InstanceTypeConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """What a CVM of this type is and takes; the primary ENI and the primary address are counted in."""

    name: str
    cpu: int
    memory_gib: int
    enis: int
    ips_per_eni: int
    extended_enis: int = 0
    """Extended ENIs that it takes besides (document 457/43559, "exclusive ENI")."""

    @property
    def family(self) -> str:
        """The part of the name before the size, such as S5."""
        return self.name.partition(".")[0]

    @property
    def public_ips(self) -> int:
        """How many public IPs, ordinary and elastic, can be bound (fits each row of the document)."""
        return min(10, self.cpu // 6 + 2)


def _enis(cpu: int) -> int:
    if cpu >= 12:
        return 8
    if cpu >= 8:
        return 6
    return 4 if cpu >= 2 else 2


def _ips_per_eni(cpu: int) -> int:
    if cpu >= 12:
        return 30
    if cpu >= 8:
        return 20
    return 10 if cpu >= 2 else 6


def _extended_enis(cpu: int) -> int:
    if cpu >= 8:
        return 39
    return {1: 4, 2: 9, 4: 19}.get(cpu, 19)


def _standard(name: str, cpu: int, memory_gib: int) -> InstanceType:
    return InstanceType(
        name=name,
        cpu=cpu,
        memory_gib=memory_gib,
        enis=_enis(cpu),
        ips_per_eni=_ips_per_eni(cpu),
        extended_enis=_extended_enis(cpu),
    )


_STANDARD = (
    _standard("S5.SMALL2", 1, 2),
    _standard("S5.MEDIUM4", 2, 4),
    _standard("S5.LARGE8", 4, 8),
    _standard("S5.2XLARGE16", 8, 16),
    _standard("S5.3XLARGE24", 12, 24),
    _standard("S5.4XLARGE32", 16, 32),
    _standard("S5.6XLARGE48", 24, 48),
    _standard("S5.8XLARGE64", 32, 64),
    _standard("S5.16XLARGE256", 64, 256),
    InstanceType(name="BMS5.16XLARGE256", cpu=64, memory_gib=256, enis=32, ips_per_eni=20),
)


def known_types(extra: Iterable[InstanceTypeConfig]) -> dict[str, InstanceType]:
    """Give all types by name; one of `extra` replaces a built-in type of the same name."""
    types = {kind.name: kind for kind in _STANDARD}
    for kind in extra:
        types[kind.name] = InstanceType(
            name=kind.name,
            cpu=kind.cpu,
            memory_gib=kind.memory_gib,
            enis=kind.enis,
            ips_per_eni=kind.ips_per_eni,
            extended_enis=kind.extended_enis,
        )
    return types
