"""Rules of Leases: every update names the version it is for (that is what leader election rests on)."""

from simulator.kube.kinds.strategy import Strategy
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, invalid_value


class LeaseStrategy(Strategy):
    """Leases of the coordination group."""

    unconditional_update = False
    create_on_update = True
    typed_members = {  # noqa: RUF012 - read only
        "spec.renewTime": "microtime",
        "spec.acquireTime": "microtime",
        "spec.holderIdentity": "text",
        "spec.leaseDurationSeconds": "number",
        "spec.leaseTransitions": "number",
    }

    def default(self, obj: Obj) -> None:
        """The spec is always there."""
        obj.setdefault("spec", {})

    def validate(self, obj: Obj) -> list[FieldError]:
        """Check the two counters."""
        spec = obj["spec"]
        errors = []
        duration = spec.get("leaseDurationSeconds")
        if duration is not None and duration <= 0:
            errors.append(invalid_value("spec.leaseDurationSeconds", duration, "must be greater than 0"))
        transitions = spec.get("leaseTransitions")
        if transitions is not None and transitions < 0:
            detail = "must be greater than or equal to 0"
            errors.append(invalid_value("spec.leaseTransitions", transitions, detail))
        return errors
