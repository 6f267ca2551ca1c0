"""Keeps the security groups of the node's own ENIs as they are configured, or as the primary ENI has them.

Compared is what each look at the cloud shows; what differs is changed in steps (`core.security_groups`), each
of which is seen in the cloud before the next one. ENIs of others are not looked at, nor is the primary one
changed, nor one that shows no group at all.
Thread safety: `start` and `stop` are for one thread, the rest for any.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ipamd.agent.enis import NodeEnis
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.errors import IpamError
from ipamd.core.failure_meanings import failures
from ipamd.core.kubernetes.node_condition import NodeProblem, Weight
from ipamd.core.security_groups import AssociateGroups, DisassociateGroups, next_step
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.metric import Metric, counter

log = logging.getLogger(__name__)

_PERIOD: Final = 300.0
"""Seconds between two comparisons without a cause; each look at the cloud is one."""
_BACKOFF: Final = Backoff(first=2.0, longest=300.0)
_SEEN_AFTER: Final = 2.0
"""Seconds after which the cloud is asked again whether a change is there."""
_SECONDS: Final = 30.0


class EniSecurityGroups:
    """The security groups of one node's ENIs."""

    def __init__(
        self,
        enis: NodeEnis,
        cloud: TencentCloud,
        wanted: Callable[[], Sequence[str]],
    ) -> None:
        """Take what each ENI should have; empty: nothing is changed."""
        self._enis = enis
        self._cloud = cloud
        self._wanted = wanted
        self._changes = 0
        self._failure: IpamError | None = None
        self._loop = Loop(
            "security-groups",
            self.compare,
            policy=Survive(),
            pace=LoopPace(period=_PERIOD, first=None, gather=0.1, backoff=_BACKOFF),
        )

    def start(self) -> None:
        """Begin to compare."""
        self._loop.start()

    def stop(self, timeout: float) -> bool:
        """End; return whether nothing is changed any more."""
        return self._loop.stop(timeout)

    def trigger(self) -> None:
        """Compare soon, if the last look at the cloud, or the configuration, leaves something to do."""
        if self.are_due:
            self._loop.trigger()

    @property
    def are_due(self) -> bool:
        """Whether an ENI has other groups than it should, as the cloud showed it last."""
        return bool(self._steps())

    @property
    def are_in_step(self) -> bool:
        """Whether all ENIs have shown what they should have."""
        wanted = set(self._wanted())
        shared = (eni.security_groups for eni in self._enis.enis.values() if not eni.problem)
        whole = (eni.security_groups for eni in self._enis.exclusive.enis.values() if eni.is_listed)
        return bool(wanted) and all(set(groups) == wanted for groups in (*shared, *whole))

    def compare(self) -> float | None:
        """Make the changes that are due; return when to look again. Raises: CloudError, KernelError."""
        steps = self._steps()
        if not steps:
            self._failure = None
            return None
        deadline = Deadline.after(_SECONDS, time.monotonic)
        try:
            # The last look may be minutes old, and what is to stay taken off by somebody since.
            self._enis.look(deadline)
            steps = self._steps()
            for step, eni_ids in steps.items():
                self._make(step, eni_ids, deadline)
            # Seen before the next step: what goes must not go before what comes is there.
            self._enis.look(deadline)
        except IpamError as e:
            self._failure = e
            raise
        self._failure = None
        return _SEEN_AFTER if self._steps() else None

    def entries(self) -> list[NodeProblem]:
        """Return that the cloud refuses the change, for the Node."""
        failure = self._failure
        if failure is None:
            return []
        message = f"the ENIs keep their security groups: {failure}"
        return [
            NodeProblem(reason=failures.node_reason(failure).value, message=message, weight=Weight.WARNING)
        ]

    def refusals(self) -> list[IpamError]:
        """Return the same as an error."""
        return [self._failure] if self._failure else []

    def metrics(self) -> Iterator[Metric]:
        """Yield how many changes were made."""
        yield counter(
            "tke_eni_security_group_changes",
            "Changes of the security groups of the node's ENIs since the start.",
            self._changes,
        )

    def _make(
        self, step: AssociateGroups | DisassociateGroups, eni_ids: Sequence[str], deadline: Deadline
    ) -> None:
        match step:
            case AssociateGroups(groups=groups):
                self._cloud.associate_security_groups(eni_ids, groups, deadline)
                verb = "given to"
            case DisassociateGroups(groups=groups):
                self._cloud.disassociate_security_groups(eni_ids, groups, deadline)
                verb = "taken from"
        self._changes += len(eni_ids)
        log.info("security groups %s are %s %s", ", ".join(groups), verb, ", ".join(eni_ids))

    def _steps(self) -> Mapping[AssociateGroups | DisassociateGroups, list[str]]:
        wanted = tuple(self._wanted())
        steps: dict[AssociateGroups | DisassociateGroups, list[str]] = {}
        for eni_id, groups in self._usable():
            step = next_step(groups, wanted)
            if step is not None:
                steps.setdefault(step, []).append(eni_id)
        return steps

    def _usable(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the ENIs that the cloud has ready, shared and of single Pods, with their groups."""
        for eni in self._enis.enis.values():
            if eni.state == model.EniState.AVAILABLE.value:
                yield eni.eni_id, eni.security_groups
        for whole in self._enis.exclusive.enis.values():
            if whole.is_listed:
                yield whole.eni_id, whole.security_groups
