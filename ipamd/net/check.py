"""What of a Pod's wiring differs from what it has to be, in sentences for an operator.

Looks at the kernel only and changes nothing. Runs for one Pod at a time (CHECK); for all Pods of a node there
is `node_side.NodeSides`, which lists everything once.
"""

from ipamd.core import errors
from ipamd.core.kernel.difference import Difference
from ipamd.net import netns, node_side, pod_side
from ipamd.net.model import ChainedLink, PodWiring
from ipamd.net.nft_elements import Elements


def differences(pod: PodWiring, elements: Elements, chained: ChainedLink) -> list[str]:
    """Return one sentence for each difference; none when the Pod is wired as it has to be."""
    found = [difference.text for difference in differences_on_the_node(pod, elements)]
    try:
        with netns.opened(pod.netns_path) as namespace:
            found += netns.run_inside(namespace, lambda: list(pod_side.differences(pod, chained)))
    except errors.NetnsError as e:
        found.append(e.message)
    return found


def differences_on_the_node(pod: PodWiring, elements: Elements) -> list[Difference]:
    """Return what differs outside of the Pod's namespace."""
    return list(node_side.differences(pod, node_side.looked_at(pod, elements)))
