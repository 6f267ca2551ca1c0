"""Rules of Services, as far as a cluster that forwards nothing needs them."""

from simulator.kube import names
from simulator.kube.kinds.strategy import StatusStrategy
from simulator.kube.objects import Obj


class ServiceStrategy(StatusStrategy):
    """Services of the core group."""

    name_rule = staticmethod(names.dns_label)
    generation = False
    returns_deleted = True
    initial_status: Obj = {"loadBalancer": {}}  # noqa: RUF012 - read only; copied where it is used
