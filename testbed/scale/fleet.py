"""All agents of a cluster together, in virtual time: at rest, in a rollout, beside a busy neighbour."""

from dataclasses import dataclass
from typing import Self

from testbed.scale.virtual import neighbours, rest, rollout
from testbed.scale.virtual.rest import Rest
from testbed.scale.virtual.rollout import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What came of all of it."""

    rest: Rest
    rollout: Rollout
    alone: list[float]
    """Seconds of a node's bind while others bind now and then."""
    crowded: list[float]
    """The same beside one node that binds without end."""

    @classmethod
    def measure(cls, nodes: int) -> Self:
        """Let them run."""
        return cls(
            rest=rest.look(nodes),
            rollout=rollout.roll_out(nodes),
            alone=neighbours.binds(busy=0),
            crowded=neighbours.binds(busy=1),
        )
