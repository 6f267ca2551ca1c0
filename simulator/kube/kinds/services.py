"""Rules of Services, as far as a cluster that forwards nothing needs them: no cluster IP is given out."""

from simulator.kube import names
from simulator.kube.kinds.strategy import StatusStrategy
from simulator.kube.objects import Obj


class ServiceStrategy(StatusStrategy):
    """Services of the core group."""

    name_rule = staticmethod(names.dns_label)
    generation = False
    returns_deleted = True
    field_labels = StatusStrategy.field_labels | {"spec.clusterIP", "spec.type"}
    initial_status: Obj = {"loadBalancer": {}}  # noqa: RUF012 - read only; copied where it is used

    def default(self, obj: Obj) -> None:
        """Fill in type and ports."""
        spec = obj.setdefault("spec", {})
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        for port in spec.get("ports") or []:
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))
