"""All parts of the bench, in their order."""

from typing import Final

from testbed.bench import add_and_delete, eip_path, full_node, packets, plugin_alone
from testbed.bench.part import Part

PARTS: Final[tuple[Part, ...]] = (
    add_and_delete.PART,
    plugin_alone.PART,
    full_node.PART,
    eip_path.PART,
    packets.PART,
)
