"""Whatever is asked for one sandbox changes nothing of another one's network."""

import threading

import pytest

from testbed import probes
from tests.agent.conftest import eip_annotations

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def host_link(result):
    return next(i["name"] for i in result["interfaces"] if not i.get("sandbox"))


def links(node):
    """The names of all host ends on the node."""
    names = (line.split(":")[1].strip() for line in node.on_node("ip", "-o", "link").splitlines())
    return {name.split("@")[0] for name in names if name.startswith("eni")}


def is_whole(node, sandbox, result):
    """CHECK says that a sandbox is as its ADD has left it, and it has its network."""
    assert node.call("check", sandbox, conf={"prevResult": result}) == (0, {})
    with probes.SourceReporter(sandbox.netns):
        assert probes.seen_source(node.node.netns, ip_of(result))


class Call(threading.Thread):
    """A verb that is under way."""

    def __init__(self, node, verb, sandbox, **options):
        super().__init__(daemon=True)
        self._ask = lambda: node.call(verb, sandbox, **options)
        self.outcome = None
        self.start()

    def run(self):
        self.outcome = self._ask()

    def ended(self, seconds=30):
        self.join(seconds)
        return self.outcome


def test_late_add_whose_namespace_is_gone_leaves_the_running_sandbox_whole(node):
    pod, running = node.pod_and_sandbox("late-add")
    _, result = node.call("add", running)
    late = node.runtime.new_sandbox(pod=pod)
    node.runtime.remove_sandbox(late)

    code, error = node.call("add", late)

    assert (code, error["code"]) == (1, 8)
    is_whole(node, running, result)
    assert node.call("del", late) == (0, {})
    is_whole(node, running, result)
    node.delete_pod(running)


def test_late_add_leaves_the_eip_of_the_running_sandbox_bound(node):
    pod, running, eip = node.pod_with_eip("late-eip")
    code, result = node.call("add", running, timeout=20)
    assert code == 0
    late = node.runtime.new_sandbox(pod=pod)
    node.runtime.remove_sandbox(late)

    assert node.call("add", late, timeout=20)[0] == 1

    is_whole(node, running, result)
    assert node.pods()["late-eip"]["eipState"] == "bound"
    assert node.eip(eip.eip_id).private_ip == ip_of(result)
    node.delete_pod(running)


def test_newer_sandbox_takes_the_address_over_and_the_late_del_of_the_older_ends_nothing(node):
    pod, old = node.pod_and_sandbox("taken-over")
    _, first = node.call("add", old)
    new = node.runtime.new_sandbox(pod=pod)

    code, second = node.call("add", new)

    assert (code, ip_of(second)) == (0, ip_of(first))
    assert host_link(second) != host_link(first)
    node.eventually("the older link is gone", lambda: host_link(first) not in links(node))
    assert node.call("del", old) == (0, {})
    is_whole(node, new, second)
    node.runtime.remove_sandbox(old)
    node.delete_pod(new)


def test_second_sandbox_with_an_interface_in_the_way_leaves_the_running_one_whole(node):
    pod, running = node.pod_and_sandbox("in-the-way")
    _, result = node.call("add", running)
    other = node.runtime.new_sandbox(pod=pod)
    node.on_node("ip", "netns", "exec", other.netns, "ip", "link", "add", "eth0", "type", "bridge")

    code, error = node.call("add", other)

    assert code == 1
    assert "exists already" in error["msg"]
    is_whole(node, running, result)
    assert host_link(result) in links(node)
    node.runtime.remove_sandbox(other)
    node.delete_pod(running)


def test_container_id_that_comes_with_another_namespace_is_refused(node):
    pod, sandbox = node.pod_and_sandbox("two-namespaces")
    _, result = node.call("add", sandbox)
    other = node.runtime.new_sandbox(pod=pod)

    code, error = node.call("add", sandbox, CNI_NETNS=other.netns_path)

    assert (code, error["code"]) == (1, 4)
    assert "is wired in" in error["msg"]
    is_whole(node, sandbox, result)
    node.runtime.remove_sandbox(other)
    node.delete_pod(sandbox)


def test_add_that_was_held_up_takes_nothing_of_a_sandbox_that_was_wired_meanwhile(node):
    """So when containerd restarts and its plugin lives on: the kubelet asks for another sandbox."""
    pod = node.workloads.create_pod("overtaken", node="")
    held_up = node.runtime.new_sandbox(pod=pod)
    asking = {"verb": "get", "resource": "pods", "name": "overtaken", "times": 1}
    node.admin.post("/kube/faults", {"kind": "latency", "seconds": 4, **asking})
    late = Call(node, "add", held_up)
    node.eventually("it asks", lambda: node.admin.get("/kube")["faults"]["hits"].get("latency"))
    target = {"apiVersion": "v1", "kind": "Node", "name": node.node.name}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "overtaken"}, "target": target}
    node.kube.post("/api/v1/namespaces/default/pods/overtaken/binding", binding)
    running = node.runtime.new_sandbox(pod=pod)
    node.eventually("the watch knows the Pod", lambda: node.call("add", running)[0] == 0)
    _, result = node.call("add", running)

    code, error = late.ended()

    node.admin.delete("/kube/faults")
    assert (code, error["code"]) == (1, 11)
    assert "a newer sandbox of the Pod has" in error["msg"]
    is_whole(node, running, result)
    node.runtime.remove_sandbox(held_up)
    node.delete_pod(running)


def test_add_that_is_refused_undoes_nothing_of_the_one_that_waits(node):
    pod, sandbox, _ = node.pod_with_eip("waits-beside")
    node.admin.post("/faults", {"add": [{"kind": "busy", "action": "AssociateAddress", "count": None}]})
    waits = Call(node, "add", sandbox, timeout=20)
    node.eventually("it waits", lambda: "waits-beside" in node.pods())
    other = node.runtime.new_sandbox(pod=pod)

    refused, error = node.call("add", sandbox, CNI_NETNS=other.netns_path)

    assert (refused, error["code"]) == (1, 4)
    node.admin.post("/faults", {"clear": True})
    code, result = waits.ended()
    assert code == 0
    is_whole(node, sandbox, result)
    node.runtime.remove_sandbox(other)
    node.delete_pod(sandbox)


def test_sandbox_whose_namespace_is_gone_is_wired_anew_in_another_one(node):
    pod, sandbox = node.pod_and_sandbox("gone-namespace")
    _, first = node.call("add", sandbox)
    other = node.runtime.new_sandbox(pod=pod)
    node.runtime.remove_sandbox(sandbox)

    code, second = node.call("add", sandbox, CNI_NETNS=other.netns_path)

    assert (code, ip_of(second)) == (0, ip_of(first))
    assert node.call("check", sandbox, CNI_NETNS=other.netns_path, conf={"prevResult": second}) == (0, {})
    with probes.SourceReporter(other.netns):
        assert probes.seen_source(node.node.netns, ip_of(second))
    assert node.call("del", sandbox) == (0, {})
    node.delete_pod(other)


@pytest.mark.parametrize(
    ("variables", "conf"),
    [({"CNI_IFNAME": "net1"}, {}), ({"CNI_IFNAME": "net1"}, {"name": "second"}), ({}, {"name": "second"})],
    ids=["same network", "another network", "the same interface of another network"],
)
def test_second_interface_of_a_sandbox_is_refused_and_the_first_is_whole(node, request, variables, conf):
    _, sandbox = node.pod_and_sandbox(f"two-nics-{request.node.callspec.id}".replace(" ", "-"))
    _, result = node.call("add", sandbox)

    code, error = node.call("add", sandbox, conf=conf, **variables)

    assert (code, error["code"]) == (1, 4)
    assert "one interface" in error["details"]
    assert node.call("del", sandbox, **variables)[0] == 0 if variables else True
    is_whole(node, sandbox, result)
    node.delete_pod(sandbox)


def test_del_finds_its_sandbox_after_the_network_was_renamed(node):
    _, sandbox = node.pod_and_sandbox("renamed")
    _, result = node.call("add", sandbox)

    assert node.call("del", sandbox, conf={"name": "tke-eni-2"}) == (0, {})

    assert node.traces(ip_of(result)) == []
    assert "renamed" not in node.pods()
    node.delete_pod(sandbox)


def test_gc_of_a_renamed_network_frees_nothing_of_the_old_one(node):
    _, sandbox = node.pod_and_sandbox("other-network")
    _, result = node.call("add", sandbox)

    assert node.call("gc", conf={"name": "tke-eni-2", "cni.dev/valid-attachments": []}) == (0, {})

    is_whole(node, sandbox, result)
    node.delete_pod(sandbox)


def test_static_pod_is_known_by_the_hash_that_its_mirror_names(node):
    uid = "0123456789abcdef0123456789abcdef"
    pod = node.workloads.create_pod("static-web", node=node.node.name)
    hashes = {f"kubernetes.io/config.{name}": uid for name in ("hash", "mirror")}
    path = "/api/v1/namespaces/default/pods/static-web"
    node.kube.merge_patch(path, {"metadata": {"annotations": hashes}})
    sandbox = node.runtime.new_sandbox(pod={"metadata": {**pod["metadata"], "uid": uid}})

    code, result = node.call("add", sandbox)

    assert code == 0
    assert node.pods()["static-web"]["uid"] == pod["metadata"]["uid"]
    is_whole(node, sandbox, result)
    stranger = node.runtime.new_sandbox(pod={"metadata": {**pod["metadata"], "uid": "f" * 32}})
    code, error = node.call("add", stranger)
    assert (code, error["code"]) == (1, 100)
    node.runtime.remove_sandbox(stranger)
    node.delete_pod(sandbox)


def test_add_that_waits_for_its_eip_ends_with_the_del_of_its_sandbox(node):
    _, sandbox = node.pod_and_sandbox("waits-for-eip", annotations=eip_annotations(), eip=True)
    add = Call(node, "add", sandbox)
    node.eventually("it waits", lambda: "waits-for-eip" in node.pods())

    assert node.call("del", sandbox) == (0, {})

    code, error = add.ended()
    assert (code, error["code"]) == (1, 11)
    assert "deleted while its ADD was under way" in error["msg"]
    assert "waits-for-eip" not in node.pods()
    node.delete_pod(sandbox)


def test_add_that_waits_for_an_address_gives_nothing_to_a_sandbox_that_is_deleted(own_node):
    node = own_node.begin("--ip-min-warm-target=0", "--ip-max-warm-target=0", "--add-timeout=30s", warm=0)
    _, first = node.pod_and_sandbox("first")
    assert node.call("add", first, timeout=40)[0] == 0
    pod, old = node.pod_and_sandbox("second")
    refused = {"kind": "busy", "action": "AssignPrivateIpAddresses", "count": None}
    node.admin.post("/faults", {"add": [refused]})
    waits = Call(node, "add", old, timeout=40)
    node.eventually("it waits", lambda: node.pool()["activity"])

    assert node.call("del", old) == (0, {})
    code, error = waits.ended()
    node.admin.post("/faults", {"clear": True})
    node.runtime.remove_sandbox(old)
    new = node.runtime.new_sandbox(pod=pod)
    code_of_new, result = node.call("add", new, timeout=40)

    assert (code, error["code"]) == (1, 11)
    assert "deleted while its ADD was under way" in error["msg"]
    assert code_of_new == 0
    is_whole(node, new, result)


def test_pod_that_does_not_wait_has_the_nodes_public_ip_until_its_eip_is_bound(own_node):
    node = own_node.begin("--no-eip-wait")
    pod, sandbox = node.pod_and_sandbox("impatient", annotations=eip_annotations(), eip=True)
    eip = node.allocate("impatient")
    node.admin.post("/faults", {"add": [{"kind": "busy", "action": "AssociateAddress", "count": None}]})
    node.claim(pod, eip=eip)
    code, result = node.call("add", sandbox)
    assert code == 0
    node.eventually("the bind is tried", lambda: node.pods()["impatient"]["eipState"] == "binding")

    for _ in range(2):
        node.ctl("repair")
        assert ip_of(result) not in node.on_node("nft", "list", "set", "ip", "tke_eni", "eip_pods")
        assert node.call("check", sandbox, conf={"prevResult": result}) == (0, {})
    node.admin.post("/faults", {"clear": True})

    node.eventually("bound", lambda: node.pods()["impatient"]["eipState"] == "bound", seconds=40)
    assert ip_of(result) in node.on_node("nft", "list", "set", "ip", "tke_eni", "eip_pods")
    assert node.call("check", sandbox, conf={"prevResult": result}) == (0, {})
