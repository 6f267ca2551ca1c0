"""A network configuration list, executed plugin by plugin as a runtime's library does.

The rules are the specification's ("Deriving execution configuration from plugin configuration", "Lifecycle &
Ordering"): each plugin gets name and version of the list, the runtime's wishes for the capabilities that it
declares, and the result of the one before it; DEL goes backwards.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from testbed.runtime import Runtime, Sandbox

PLUGINS: Final = Path("/usr/lib/cni")
"""Where Debian's package containernetworking-plugins puts its plugins."""


class Chain:
    """Invariant: `_results` has the last result of each sandbox that was added and not deleted."""

    def __init__(self, network: Mapping[str, Any], runtimes: Mapping[str, Runtime], *, knows: str) -> None:
        """Take the list, a runtime for each plugin of it by its type, and the newest version it knows."""
        self._network = network
        self._runtimes = runtimes
        offered = [*network.get("cniVersions", ()), network["cniVersion"]]
        self.version = max((version for version in offered if _key(version) <= _key(knows)), key=_key)
        self._results: dict[str, dict[str, Any]] = {}

    def add(self, sandbox: Sandbox, wishes: Mapping[str, Any]) -> dict[str, Any]:
        """Execute ADD; return the last result. `wishes` are by capability. Raises CniError of a plugin."""
        result: dict[str, Any] = {}
        for plugin in self._network["plugins"]:
            result = self._run("ADD", plugin, sandbox, wishes, result)
        self._results[sandbox.container_id] = result
        return result

    def check(self, sandbox: Sandbox, wishes: Mapping[str, Any]) -> None:
        """Execute CHECK with the last result. Raises CniError of a plugin."""
        for plugin in self._network["plugins"]:
            self._run("CHECK", plugin, sandbox, wishes, self._results[sandbox.container_id])

    def delete(self, sandbox: Sandbox, wishes: Mapping[str, Any]) -> None:
        """Execute DEL. Raises CniError of a plugin."""
        result = self._results.pop(sandbox.container_id, {})
        for plugin in reversed(self._network["plugins"]):
            self._run("DEL", plugin, sandbox, wishes, result)

    def _run(
        self,
        verb: str,
        plugin: Mapping[str, Any],
        sandbox: Sandbox,
        wishes: Mapping[str, Any],
        result: Mapping[str, Any],
    ) -> dict[str, Any]:
        declared = plugin.get("capabilities", {})
        configuration = {
            **{key: value for key, value in plugin.items() if key != "capabilities"},
            "name": self._network["name"],
            "cniVersion": self.version,
            "runtimeConfig": {name: wish for name, wish in wishes.items() if declared.get(name)},
            **({"prevResult": result} if result else {}),
        }
        runtime = self._runtimes[plugin["type"]]
        return runtime.run(verb, sandbox, configuration=configuration).result()


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
