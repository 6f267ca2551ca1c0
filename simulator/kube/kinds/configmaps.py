"""Rules of ConfigMaps: text by key."""

import re

from simulator.kube import objects
from simulator.kube.kinds.strategy import Strategy
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, invalid_value

_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_BAD_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


class ConfigMapStrategy(Strategy):
    """ConfigMaps of the core group."""

    typed_members = {"data": "strings"}  # noqa: RUF012 - read only

    def default(self, obj: Obj) -> None:
        """An empty map is left out."""
        objects.drop_empty(obj, "data", "binaryData")

    def validate(self, obj: Obj) -> list[FieldError]:
        """Check the keys."""
        return key_errors(obj)


def key_errors(obj: Obj) -> list[FieldError]:
    """List the keys of `data` that cannot be file names."""
    keys = [key for key in obj.get("data") or {} if not _KEY.fullmatch(key)]
    return [invalid_value(f"data[{key}]", key, _BAD_KEY) for key in keys]
