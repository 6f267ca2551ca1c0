"""Rules of custom resources with a status subresource: kept as written; generation counts the rest."""

from simulator.kube.kinds.strategy import RESERVED_MEMBERS, StatusStrategy
from simulator.kube.objects import Obj


class CustomStrategy(StatusStrategy):
    """A kind that a CustomResourceDefinition would declare, with all unknown fields preserved."""

    unconditional_update = False
    typed = False

    def unknown_field(self, label: str) -> str:
        """Custom resources are selected by name and namespace only."""
        return f"field label not supported: {label}"

    def prepare_create(self, obj: Obj) -> None:
        """The status does not exist until its subresource is written."""
        super().prepare_create(obj)
        obj.pop("status", None)

    def _spec_changed(self, obj: Obj, old: Obj) -> bool:
        return _own_members(obj) != _own_members(old)


def _own_members(obj: Obj) -> Obj:
    return {key: value for key, value in obj.items() if key not in RESERVED_MEMBERS}
