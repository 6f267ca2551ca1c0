"""The facts of the node as they are now: asked again from time to time, because a node outlives some of them.

A CVM is resized, its VPC gets another range, the primary ENI other security groups. Whoever works with facts
reads `current` each time. A node that has less than before loses nothing that is used: what a limit says is
only how much more there may be.
Thread safety: any thread may call any method.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from ipamd.agent import facts as node_facts
from ipamd.agent.facts import NodeFacts
from ipamd.agent.options import AgentSettings
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.reachability import Reachability
from ipamd.store.database import Database

log = logging.getLogger(__name__)

_BACKOFF = Backoff(first=1.0, longest=60.0)
_LOOKS = 20
"""How many looks at the cloud pass until it is asked again who this node is."""
_SPREAD = 0.2
"""Part of the interval that is left to chance: nodes that were started at one moment drift apart."""

Ask = Callable[[Deadline], NodeFacts]
"""Asks the cloud once. Raises: CloudError."""


class LiveFacts:
    """Invariant: `current` is replaced as a whole, and always speaks of one and the same instance."""

    def __init__(
        self,
        facts: NodeFacts,
        *,
        ask: Ask,
        database: Database,
        interval: float,
        metadata: Reachability,
    ) -> None:
        """Take what is known, who asks, where it is remembered, the seconds between two questions.

        `metadata` tells whether the metadata service answers.
        """
        self.metadata: Final = metadata
        self._facts = facts
        self._ask = ask
        self._database = database
        self._listeners: list[Callable[[], None]] = []
        self._askers: list[Callable[[], None]] = []
        self._loop = Loop(
            "facts",
            self.refresh,
            policy=Survive(),
            pace=LoopPace(period=interval, spread=_SPREAD, backoff=_BACKOFF),
        )

    @property
    def current(self) -> NodeFacts:
        """What was told last."""
        return self._facts

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each change, on the thread that asks; to be used before `start`."""
        self._listeners.append(listener)

    def on_answer(self, also: Callable[[], None]) -> None:
        """Have `also` called after each answer, on the thread that asks; to be used before `start`."""
        self._askers.append(also)

    def start(self) -> None:
        """Begin to ask: now, because what is known may be a memory, and then from time to time."""
        self._loop.start()

    def stop(self, timeout: float) -> bool:
        """End; wait for the question under way for so many seconds; return whether it has ended."""
        return self._loop.stop(timeout)

    def refresh(self) -> None:
        """Ask once and take the answer. Raises: CloudError."""
        facts, before = self._ask(Deadline.after(node_facts.ASK_SECONDS, time.monotonic)), self._facts
        if facts.instance.instance_id != before.instance.instance_id:
            log.error(
                "the metadata service says that this is %s, it was %s: the answer is not used",
                facts.instance.instance_id,
                before.instance.instance_id,
            )
            return
        if facts != before:
            self._facts = facts
            log.info("the cloud says other things of this node than before: %s", _difference(before, facts))
            node_facts.remember(facts, self._database)
            for listener in self._listeners:
                listener()
        for also in self._askers:
            also()


def build(
    settings: AgentSettings, facts: NodeFacts, *, metadata: Metadata, cloud: TencentCloud, database: Database
) -> LiveFacts:
    """Return the facts, which are asked again after some looks at the cloud."""
    return LiveFacts(
        facts,
        ask=lambda deadline: node_facts.ask(metadata, cloud, deadline),
        database=database,
        interval=_LOOKS * settings.cloud_check_interval,
        metadata=metadata.reachability,
    )


def _difference(before: NodeFacts, after: NodeFacts) -> str:
    old, new = asdict(before), asdict(after)
    return ", ".join(f"{name} was {old[name]} and is {new[name]}" for name in new if old[name] != new[name])
