"""pyroute2's classes of messages, and no more of pyroute2.

To import any module of a package runs the package's `__init__` first, and pyroute2's imports all that there
is of it: 19 MiB and 110 ms for two classes of messages that need 1 MiB and 7 ms (docs/adr/0034). So they are
imported from a package of the same name and place that has no code, which is what Python calls a namespace
package (importlib.machinery.ModuleSpec without a loader), and which is gone right after: who imports
pyroute2 later, as the simulator and the tests do, gets all of it, and modules of their own.
"""

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from typing import Any, Final

_PACKAGE: Final = "pyroute2"


def _modules() -> dict[str, Any]:
    return {
        name: module
        for name, module in sys.modules.items()
        if name == _PACKAGE or name.startswith(f"{_PACKAGE}.")
    }


def _loaded(*names: str) -> list[Any]:
    """Import modules of pyroute2 without its `__init__`. Raises: ModuleNotFoundError."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    place = ModuleSpec(_PACKAGE, None, is_package=True)
    place.submodule_search_locations = found.submodule_search_locations
    before = _modules()
    for name in before:
        del sys.modules[name]
    sys.modules[_PACKAGE] = importlib.util.module_from_spec(place)
    try:
        return [importlib.import_module(f"{_PACKAGE}.{name}") for name in names]
    finally:
        for name in _modules():
            del sys.modules[name]
        sys.modules.update(before)


_fibmsg, _rtmsg = _loaded("netlink.rtnl.fibmsg", "netlink.rtnl.rtmsg")
fibmsg: Final[Any] = _fibmsg.fibmsg
"""A policy rule (struct fib_rule_hdr)."""
rtmsg: Final[Any] = _rtmsg.rtmsg
"""A route (struct rtmsg)."""
