"""Rules of Secrets: bytes by key, in base64, with a type that stays."""

import base64

from simulator.kube import objects
from simulator.kube.kinds.configmaps import key_errors
from simulator.kube.kinds.strategy import Strategy
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, invalid_value


class SecretStrategy(Strategy):
    """Secrets of the core group."""

    typed_members = {"data": "bytes", "stringData": "strings", "type": "text"}  # noqa: RUF012 - read only

    def default(self, obj: Obj) -> None:
        """Fold `stringData` into `data`; fill in the type."""
        for key, text in (obj.pop("stringData", None) or {}).items():
            obj.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()
        objects.drop_empty(obj, "data")
        obj.setdefault("type", "Opaque")

    def validate(self, obj: Obj) -> list[FieldError]:
        """Check the keys."""
        return key_errors(obj)

    def validate_update(self, obj: Obj, old: Obj) -> list[FieldError]:
        """The type is for ever."""
        changed = obj["type"] != old["type"]
        errors = [invalid_value("type", obj["type"], "field is immutable")] if changed else []
        return [*errors, *self.validate(obj)]
