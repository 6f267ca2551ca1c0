"""Rules of Events: they live in the namespace of what they are about; selected by involvedObject."""

from simulator.kube import names, objects
from simulator.kube.kinds.strategy import Strategy
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, invalid_value, required


class EventStrategy(Strategy):
    """Events of the core group."""

    create_on_update = True
    typed_members = {"eventTime": "microtime"}  # noqa: RUF012 - read only
    field_labels = frozenset(
        {
            "metadata.name",
            "metadata.namespace",
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    )

    def unknown_field(self, label: str) -> str:
        """Events have a list of their own."""
        return f"field label not supported: {label}"

    def field(self, obj: Obj, label: str) -> str:
        """The source is the component that wrote the event."""
        if label == "source":
            return super().field(obj, "source.component") or super().field(obj, "reportingComponent")
        return super().field(obj, label)

    def default(self, obj: Obj) -> None:
        """Both writers' names are always there, and so is the source."""
        obj.setdefault("involvedObject", {})
        obj.setdefault("source", {})
        obj.setdefault("reportingComponent", "")
        obj.setdefault("reportingInstance", "")
        for member in ("firstTimestamp", "lastTimestamp", "eventTime"):
            obj.setdefault(member, None)

    def validate(self, obj: Obj) -> list[FieldError]:
        """An event about a namespaced object is in that namespace; about others, in `default`."""
        about = str(obj["involvedObject"].get("namespace") or "")
        place = objects.namespace_of(obj)
        errors = []
        if about != place and (about or place != "default"):
            errors.append(invalid_value("involvedObject.namespace", about, "does not match event.namespace"))
        if obj.get("eventTime"):
            errors += _check_new_style(obj)
        return errors


def _check_new_style(obj: Obj) -> list[FieldError]:
    """An event with eventTime must say who reports it and what was done."""
    reporter = str(obj["reportingComponent"])
    errors = [] if reporter else [required("reportingComponent")]
    errors += [invalid_value("reportingComponent", reporter, text) for text in names.qualified_name(reporter)]
    errors += [
        required(member) for member in ("reportingInstance", "action", "reason") if not obj.get(member)
    ]
    return errors
