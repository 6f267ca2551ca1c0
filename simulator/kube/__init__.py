"""A small Kubernetes API for the demo and for fault tests.

It stores objects and answers as kube-apiserver does (list with paging, watch with bookmarks and 410,
conflicts, patches, status subresource, finalizers), collects garbage as kube-controller-manager does, and
breaks on demand. It schedules nothing and runs no Pods. In a test:

    from simulator.kube import KubeServer, Store, listen

    with KubeServer(Store(), [listen()]) as server:
        requests.get(server.url + "/api/v1/pods")
        number = server.inject(Fault(kind=FaultKind.STATUS, verb="list", resource="pods", code=429))
        server.heal(number)

It never imports the product or the cloud; the other way round nothing imports it but the simulator's process
and tests.
"""

from simulator.kube.faults import Fault, FaultKind
from simulator.kube.server import KubeServer, listen
from simulator.kube.storage import Store

__all__ = ["Fault", "FaultKind", "KubeServer", "Store", "listen"]
