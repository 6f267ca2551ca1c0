"""The runtime's network configuration, if it is the agent's to write."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ipamd.agent.network_conf.plugins import NodePlugins
from ipamd.agent.network_conf.sync import NetworkConfiguration
from ipamd.agent.options import AgentSettings
from ipamd.core.kernel.difference import Difference
from ipamd.runtime.service import Service

_GRACE: Final = 5.0
_NAME: Final = "network configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConf:
    """What keeps the file, and what an operator has to mend of it."""

    file: str
    """Where it is; empty when it is not the agent's to write."""
    announce: Service
    problems: Callable[[], list[str]]
    lacking: Callable[[], list[str]]
    """Which wishes of Pods do nothing, as a plugin is missing."""


def build(settings: AgentSettings, *, on_repair: Callable[[Difference], None]) -> NetworkConf:
    """Return what keeps the file that the settings name; without one there is nothing to do.

    `on_repair` hears what was made right.
    """
    if settings.cni_conf is None:
        return NetworkConf(file="", announce=Service(name=_NAME), problems=list, lacking=list)
    configuration = NetworkConfiguration(
        settings.cni_conf,
        chosen=settings.chained_plugins,
        binaries=NodePlugins(settings.cni_bin_dir),
        interval=settings.repair_interval,
        on_repair=on_repair,
    )
    return NetworkConf(
        file=str(settings.cni_conf),
        announce=Service(name=_NAME, start=configuration.start, stop=configuration.stop, grace=_GRACE),
        problems=configuration.problems,
        lacking=configuration.lacking,
    )
