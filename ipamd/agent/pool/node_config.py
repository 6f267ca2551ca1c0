"""The configuration that is in force on this node, taken from its Node object as often as that changes.

The agent reads what the controller has made of all NodeENIConfigs, and TKE's annotations, both on its own
Node, and lays them over its flags. What is wrong there is told and changes nothing: the last good
configuration stays, also over a restart while the API server is away, because the store has it.
Thread safety: `told` is for one thread (the watch of the Node), the rest for any.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ipamd.agent.options import AgentSettings
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.node_condition import NodeProblem, NodeReason, Weight
from ipamd.core.node_config import fields, note
from ipamd.core.node_config.in_force import InForce, from_node, in_force
from ipamd.core.node_config.layers import Layer, Sourced
from ipamd.flags.effective import SetBy
from ipamd.runtime.metric import Metric, gauge
from ipamd.store.database import Database, StoreError

log = logging.getLogger(__name__)

FACT: Final = "node config"
"""Where the store keeps what the last good configuration was made of."""


class NodeConfig:
    """Invariant: `current` is what `_note` and `_annotations` make without an error; `_seen` came last."""

    def __init__(self, flags: Layer, database: Database) -> None:
        """Take what the flags say, and where the last good configuration is kept."""
        self._flags = flags
        self._database = database
        self._listeners: list[Callable[[], None]] = []
        self._problem = ""
        self._is_sync_asked = False
        self._note, self._annotations = _recalled(database)
        self._seen = (self._note, self._annotations)
        self._current = in_force(flags)
        try:
            self._current = self._made(self._note, self._annotations)
        except InvalidInputError as e:
            log.warning("what was remembered of this node's configuration is not used: %s", e)

    @property
    def current(self) -> InForce:
        """What holds now."""
        return self._current

    @property
    def is_sync_asked(self) -> bool:
        """Whether the security groups are to be made right once, whatever else holds."""
        return self._is_sync_asked

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each change, on the thread of the watch; before the watch starts."""
        self._listeners.append(listener)

    def told(self, node: Mapping[str, Any]) -> None:
        """Take in the Node as the API server tells of it."""
        noted = node["metadata"].get("annotations") or {}
        asked, self._is_sync_asked = self._is_sync_asked, noted.get(fields.NEED_SYNC) == "true"
        if self._is_sync_asked and not asked:
            self._notify()
        # A Node that was made anew has no word of the controller yet; that takes nothing back.
        text = noted.get(note.CONFIG, self._note)
        annotations = {key: noted[key] for key in fields.BY_ANNOTATION if key in noted}
        if (text, annotations) == self._seen:
            return
        self._seen = (text, annotations)
        try:
            made = self._made(text, annotations)
        except InvalidInputError as e:
            log.warning("the configuration of this node stays as it is: %s", e)
            self._problem = str(e)
            return
        self._problem = ""
        self._note, self._annotations = text, annotations
        self._remember()
        if made != self._current:
            log.info("the configuration of this node has changed: %s", _difference(self._current, made))
            self._current = made
            self._notify()

    def refused(self) -> list[str]:
        """Return why what is asked for is not in force, as one sentence; empty when all of it is."""
        return [f"the configuration of this node stays as it was: {self._problem}"] if self._problem else []

    def entries(self) -> list[NodeProblem]:
        """Return the same for the Node."""
        return [
            NodeProblem(reason=NodeReason.CONFIG_REFUSED.value, message=text, weight=Weight.WARNING)
            for text in self.refused()
        ]

    def metrics(self) -> Iterator[Metric]:
        """Yield whether something is refused."""
        yield gauge(
            "tke_eni_node_config_refused",
            "1 while a NodeENIConfig or an annotation of the Node is refused and the last good one holds.",
            int(bool(self._problem)),
        )

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    def _made(self, text: str, annotations: Mapping[str, str]) -> InForce:
        return in_force(self._flags, note.read(text) if text else {}, from_node(annotations))

    def _remember(self) -> None:
        content = {"note": self._note, "annotations": self._annotations}
        try:
            if self._database.fact(FACT) != content:
                self._database.put_fact(FACT, content)
        except StoreError as e:
            log.warning("a start without the API server will not know this node's configuration: %s", e)


def of_flags(settings: AgentSettings) -> Layer:
    """Return what the flags say of the fields."""
    set_by = {flag.name: flag.set_by for flag in settings.effective}

    def sourced(value: fields.Value, name: str) -> Sourced:
        by_default = set_by.get(name, SetBy.DEFAULT) is SetBy.DEFAULT
        return Sourced(value=value, source=f"default of {name}" if by_default else f"flag {name}")

    layer = {
        "minWarmTarget": sourced(settings.targets.min_warm, "--ip-min-warm-target"),
        "maxWarmTarget": sourced(settings.targets.max_warm, "--ip-max-warm-target"),
        "syncSecurityGroups": sourced(settings.sync_security_groups, "--sync-security-groups"),
    }
    if settings.direct_eni:
        layer["minWarmENITarget"] = sourced(settings.eni_targets.min_warm, "--eni-min-warm-target")
        layer["maxWarmENITarget"] = sourced(settings.eni_targets.max_warm, "--eni-max-warm-target")
    if settings.security_groups:
        layer["securityGroups"] = sourced(list(settings.security_groups), "--security-groups")
    if settings.pod_subnets:
        layer["subnets"] = sourced(list(settings.pod_subnets), "--pod-subnets")
    return layer


def _recalled(database: Database) -> tuple[str, dict[str, str]]:
    found = database.fact(FACT) or {}
    return found.get("note", ""), found.get("annotations", {})


def _difference(before: InForce, after: InForce) -> str:
    names = [name for name in fields.FIELDS if before.values.get(name) != after.values.get(name)]
    return ", ".join(f"{name} is {_shown(after.values.get(name))}" for name in names)


def _shown(entry: Sourced | None) -> str:
    return f"{entry.value} by {entry.source}" if entry else "not set any more"
