"""What the Node offers to the scheduler: the Pod IPs and EIPs that it has, whatever others write."""

import pytest

from ipamd.core import model
from ipamd.core.kubernetes import nodes
from tests.vpc_console import VpcConsole

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

EIP, ENI_IP = "tke.cloud.tencent.com/eip", "tke.cloud.tencent.com/eni-ip"


def offered(node):
    status = node.workloads.node(node.node.name)["status"]
    shown = [(status[field].get(EIP), status[field].get(ENI_IP)) for field in ("capacity", "allocatable")]
    assert status["capacity"]["cpu"], "what is not ours stays"
    return shown[0] if shown[0] == shown[1] else shown


def test_the_agent_says_that_it_serves_its_node_also_when_the_node_comes_anew(node):
    """By this the controller orders EIPs for Pods of the node."""
    served = lambda: nodes.view(node.workloads.node(node.node.name)).agent  # noqa: E731
    node.eventually("the mark", lambda: served() == "no-pod")

    node.workloads.remove_node(node.node.name)
    node.workloads.add_node(node.node.name)

    node.eventually("the mark again", lambda: served() == "no-pod")


@pytest.mark.parametrize("quantity", ["0", None])
def test_a_kubelet_that_registers_again_does_not_make_the_node_poor(node, quantity):
    """It sets the extended resources of its Node to zero."""
    before = offered(node)
    for resource in (EIP, ENI_IP):
        node.workloads.set_capacity(node.node.name, resource, quantity)

    node.eventually("the resources", lambda: offered(node) == before)


def test_a_node_that_was_deleted_and_made_again_offers_the_same(node):
    before, uid = offered(node), node.workloads.node(node.node.name)["metadata"]["uid"]
    node.workloads.remove_node(node.node.name)
    node.workloads.add_node(node.node.name)
    assert node.workloads.node(node.node.name)["metadata"]["uid"] != uid

    node.eventually("the resources", lambda: offered(node) == before)


def test_public_ips_that_people_bind_to_the_cvm_are_places_that_pods_cannot_have(own_node):
    """8 vCPUs have three: the node's own is the one that is left for it, a second takes another place."""
    node = own_node.begin(region={"instances": [{"instance_type": "S5.2XLARGE16", "public_ip": True}]})
    assert offered(node)[0] == "2"
    _, sandbox, _ = node.pod_with_eip("has-one")
    assert node.call("add", sandbox)[0] == 0
    bind_by_hand(
        node, next(eni for eni in node.cloud.describe_enis(node.node.instance_id) if not eni.primary)
    )

    node.stop(node.agent)
    node.start_again(warm=0)

    node.eventually("one place less", lambda: offered(node)[0] == "1")
    node.eventually("the agent says so too", lambda: node.status()["capacity"]["eip"] == 1)


def test_an_agent_that_starts_without_the_cloud_offers_no_place_that_is_taken_by_hand(own_node):
    region = {"instances": [{"instance_type": "S5.2XLARGE16", "public_ip": True}]}
    node = own_node.begin("--repair-interval=1s", region=region)
    console, instance = VpcConsole(node.endpoints.cloud), node.cloud.describe_instance(node.node.instance_id)
    console.attach_eni(instance.instance_id, instance.vpc_id, instance.subnet_id)
    shared = next(eni for eni in node.cloud.describe_enis(instance.instance_id) if not eni.primary)
    bind_by_hand(node, shared)
    node.eventually("both places less", lambda: offered(node) == ("1", "76"))
    node.eventually("the agent says so too", lambda: capacity(node) == (1, 76))

    node.stop(node.agent)
    with node.without_cloud():
        node.start_again(warm=0)
        assert capacity(node) == (1, 76)
        assert offered(node) == ("1", "76")


def test_an_eni_that_people_attach_is_one_that_pods_cannot_have(own_node):
    node = own_node.begin(region={"instances": [{"instance_type": "S5.2XLARGE16"}]})
    before = int(offered(node)[1])
    limits = node.cloud.describe_eni_limits(node.node.instance_id)
    instance = node.cloud.describe_instance(node.node.instance_id)
    count = len(node.cloud.describe_enis(instance.instance_id))
    console = VpcConsole(node.endpoints.cloud)
    console.attach_eni(instance.instance_id, instance.vpc_id, instance.subnet_id)
    node.eventually("it", lambda: len(node.cloud.describe_enis(instance.instance_id)) == count + 1)

    node.stop(node.agent)
    node.start_again()

    node.eventually("less", lambda: int(offered(node)[1]) == before - (limits.ips_per_eni - 1))


def capacity(node):
    told = node.status()["capacity"]
    return told["eip"], told["eni-ip"]


def bind_by_hand(node, eni):
    """Bind an EIP of the user's to the ENI's own address, as the console does."""
    eip_id = node.cloud.allocate_eip(model.EipOrder(), {"team": "a"}, "by-hand").eip_id
    node.eventually("there", lambda: node.eip(eip_id).status is model.EipStatus.UNBIND)
    node.cloud.associate_eip(eip_id, eni.eni_id, eni.primary_ip)
    node.eventually("bound", lambda: node.eip(eip_id).bound)


def resize(node, instance_type):
    node.admin.post(f"/instances/{node.node.instance_id}", {"instance_type": instance_type})


def test_a_cvm_that_was_made_larger_offers_more_without_a_restart(own_node):
    node = own_node.begin(region={"instances": [{"instance_type": "S5.2XLARGE16"}]})
    assert offered(node) == ("2", "95")  # 8 vCPUs: 6 ENIs with 20 addresses

    resize(node, "S5.3XLARGE24")

    node.eventually(
        "more places", lambda: offered(node) == ("3", "203"), seconds=60
    )  # 12 vCPUs: 8 ENIs with 30
    assert node.status()["capacity"] == {"eip": 3, "eni-ip": 203}
    node.stop(node.agent)
    with node.without_cloud():
        node.start_again()
        assert node.status()["capacity"] == {"eip": 3, "eni-ip": 203}


def test_a_cvm_that_was_made_smaller_offers_less_and_takes_nothing_away(own_node):
    node = own_node.begin(region={"instances": [{"instance_type": "S5.2XLARGE16"}]})
    sandboxes = [node.pod_and_sandbox(f"before-{number}")[1] for number in range(8)]
    for sandbox in sandboxes:
        assert node.call("add", sandbox)[0] == 0

    resize(node, "S5.SMALL2")

    node.eventually(
        "fewer places", lambda: offered(node) == ("1", "5"), seconds=60
    )  # 1 vCPU: 2 ENIs with 6 addresses
    _, late = node.pod_and_sandbox("late")
    while node.pool()["warm"]:
        _, late = node.pod_and_sandbox(f"late-{node.pool()['warm']}")
        assert node.call("add", late)[0] == 0
        sandboxes.append(late)
    _, refused = node.pod_and_sandbox("refused")
    code, error = node.call("add", refused)
    assert (code, error["code"]) == (1, 11)
    assert "the node is full: all 5 addresses for Pods are taken" in error["msg"]
    assert node.call("status") == (0, {})
    looks = node.admin.get("/audit")["calls"]["DescribeNetworkInterfaces"]
    node.eventually(
        "looked again",
        lambda: node.admin.get("/audit")["calls"]["DescribeNetworkInterfaces"] > looks + 2,
        seconds=30,
    )
    assert node.pool()["inUse"] == len(sandboxes)
    assert all(node.traces(entry["privateIp"]) for entry in node.pods().values())
