"""NodeENIConfigs and Nodes of the tests beside, and what is allowed in each field and what is not."""

from collections.abc import Mapping, Sequence

from ipamd.core.kubernetes.nodes import NodeView
from ipamd.core.node_config import node_eni_config

GOOD: Mapping[str, Sequence[object]] = {
    "minWarmTarget": [0, 5, 1000],
    "maxWarmTarget": [0, 1000],
    "desiredRouteENIIP": [0, 20],
    "maxRouteENI": [0, 3],
    "maxIPPerENI": [1, 30],
    "maxDirectENI": [0, 39],
    "minWarmENITarget": [0, 2],
    "maxWarmENITarget": [0, 64],
    "securityGroups": [["sg-12345678"], [f"sg-0000000{n}" for n in range(5)]],
    "syncSecurityGroups": [True, False],
    "subnets": [["subnet-12345678"]],
    "subnetTags": [{"use": "pods"}, {"use": ""}, {"k" * 127: "x"}],
    "subnetCIDR": ["10.0.2.0/24"],
    "disabled": [True],
}
BAD: Mapping[str, Sequence[object]] = {
    "minWarmTarget": [-1, 1001, "5", 2.5, True, None],
    "maxWarmTarget": [-1, [5]],
    "desiredRouteENIIP": [-1],
    "maxRouteENI": [-1, 65],
    "maxIPPerENI": [0, 257],
    "maxDirectENI": [-1, 65],
    "minWarmENITarget": [-1, 65, "2"],
    "maxWarmENITarget": [-1, True],
    "securityGroups": [
        [],
        ["sg-1", "sg-1"],
        ["12345678"],
        "sg-1",
        [f"sg-0000000{n}" for n in range(6)],
    ],
    "syncSecurityGroups": ["yes", 1],
    "subnets": [[], ["vpc-12345678"], [5]],
    "subnetTags": [{}, {"": "x"}, {"k" * 128: "x"}, {"a": 5}, {str(n): "x" for n in range(6)}],
    "subnetCIDR": ["10.0.2.1/24", "10.0.2.0", "fd00::/64", "300.0.0.0/24", 5],
    "disabled": ["true", 0],
}


def nec(name, annotations=None, **spec):
    return {"metadata": {"name": name, "annotations": annotations or {}}, "spec": spec}


def config(name, **spec):
    return node_eni_config.read(nec(name, **spec))


def group(name, priority=0, labels=None, **spec):
    return nec(name, nodeSelector={"matchLabels": labels or {}}, priority=priority, **spec)


def node(name="n1", labels=None, eni_config=None, eni_state=""):
    return NodeView(
        name=name,
        ready=True,
        outage="",
        instance_id="",
        labels=labels or {},
        eni_config=eni_config,
        eni_state=eni_state,
    )
