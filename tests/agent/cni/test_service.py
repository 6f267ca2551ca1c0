"""The verbs through real gRPC, in the orders in which runtimes call them."""

import json
import os
import subprocess

import pytest

from ipamd.core import model
from testbed import probes

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def test_socket_is_for_root_alone(node):
    assert node.socket.stat().st_mode & 0o777 == 0o600


def test_add_twice_gives_the_same_result_and_leaves_the_link_alone(node):
    _, sandbox = node.pod_and_sandbox("twice")
    code, first = node.call("add", sandbox)
    assert code == 0
    veth = first["interfaces"][0]["name"]
    before = node.on_node("ip", "-o", "link", "show", veth)

    code, second = node.call("add", sandbox)

    assert (code, second) == (0, first)
    assert node.on_node("ip", "-o", "link", "show", veth) == before
    node.delete_pod(sandbox)


def test_del_twice_and_del_of_the_unknown_succeed(node):
    _, sandbox = node.pod_and_sandbox("gone")
    _, result = node.call("add", sandbox)

    assert node.call("del", sandbox) == (0, {})
    assert node.call("del", sandbox) == (0, {})
    assert node.traces(ip_of(result)) == []
    stranger = node.runtime.new_sandbox()
    assert node.call("del", stranger, CNI_NETNS="") == (0, {})
    node.delete_pod(sandbox)


def test_del_after_the_namespace_is_gone_cleans_the_node(node):
    _, sandbox = node.pod_and_sandbox("no-netns")
    _, result = node.call("add", sandbox)
    node.runtime.remove_sandbox(sandbox)

    assert node.call("del", sandbox) == (0, {})

    assert node.traces(ip_of(result)) == []
    node.workloads.remove_pod("no-netns")


def test_del_of_an_older_sandbox_frees_nothing(node):
    pod, old = node.pod_and_sandbox("newer")
    _, result = node.call("add", old)
    new = node.runtime.new_sandbox(pod=pod)
    code, taken_over = node.call("add", new)
    assert code == 0
    assert ip_of(taken_over) == ip_of(result)

    assert node.call("del", old) == (0, {})

    prev = {"prevResult": taken_over}
    assert node.call("check", new, conf=prev) == (0, {})
    assert node.pods()["newer"]["privateIp"] == ip_of(result)
    node.delete_pod(new)


def test_check_names_what_is_missing_in_the_kernel(node):
    _, sandbox = node.pod_and_sandbox("checked")
    _, result = node.call("add", sandbox)
    prev = {"prevResult": result}
    assert node.call("check", sandbox, conf=prev) == (0, {})

    node.on_node("ip", "-n", sandbox.netns, "route", "del", "default")

    code, error = node.call("check", sandbox, conf=prev)
    assert (code, error["code"]) == (1, 101)
    assert "default/checked" in error["msg"]
    assert "default route" in error["msg"]
    node.delete_pod(sandbox)


def test_check_names_an_eip_that_the_kernel_does_not_know_of(node):
    _, sandbox, _ = node.pod_with_eip("checked-eip")
    _, result = node.call("add", sandbox)
    ip = ip_of(result)
    prev = {"prevResult": result}
    assert node.call("check", sandbox, conf=prev) == (0, {})

    def is_told():
        """Whether CHECK comes before the repair, which hears of the change at once."""
        node.on_node("nft", "flush", "set", "ip", "tke_eni", "eip_pods")
        code, error = node.call("check", sandbox, conf=prev)
        return code and (error["code"], f"{ip} is missing from nft set tke_eni eip_pods" in error["msg"]) == (
            101,
            True,
        )

    node.eventually("told", is_told, seconds=20)
    node.delete_pod(sandbox)


def test_check_of_an_unknown_sandbox_and_of_another_result(node):
    _, sandbox = node.pod_and_sandbox("other-result")
    _, result = node.call("add", sandbox)
    result["ips"][0]["address"] = "10.0.1.250/32"

    code, error = node.call("check", sandbox, conf={"prevResult": result})
    assert (code, error["code"]) == (1, 101)
    assert "10.0.1.250" in error["msg"]

    code, error = node.call("check", node.runtime.new_sandbox(), conf={"prevResult": result})
    assert (code, error["code"]) == (1, 3)
    node.delete_pod(sandbox)


def test_check_names_another_interface_in_the_result(node):
    _, sandbox = node.pod_and_sandbox("other-name")
    _, result = node.call("add", sandbox)
    result["interfaces"][1]["name"] = "net7"

    code, error = node.call("check", sandbox, conf={"prevResult": result})

    assert (code, error["code"]) == (1, 101)
    assert "net7" in error["msg"]
    assert "eth0" in error["msg"]
    node.delete_pod(sandbox)


DAMAGE = {
    "address": "ip address del {ip}/32 dev eth0",
    "neighbour entry": "ip neigh replace 169.254.1.1 dev eth0 lladdr 02:00:00:00:00:01 nud permanent",
    "is down": "ip link set eth0 down",
    "MTU": "ip link set eth0 mtu 1600",
    "MAC": "ip link set eth0 address 02:00:00:00:00:01",
}


@pytest.mark.parametrize("named", DAMAGE)
def test_check_names_each_difference_of_the_pods_side(node, named):
    _, sandbox = node.pod_and_sandbox("damaged")
    _, result = node.call("add", sandbox)
    command = DAMAGE[named].format(ip=ip_of(result))
    node.on_node("ip", "netns", "exec", sandbox.netns, *command.split())

    code, error = node.call("check", sandbox, conf={"prevResult": result})

    assert (code, error["code"]) == (1, 101)
    assert named in error["msg"]
    node.delete_pod(sandbox)


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
@pytest.mark.parametrize("tuned", [{"mtu": 1400}, {"mac": "c2:b0:57:49:47:f1"}])
def test_check_accepts_what_a_chained_plugin_has_made(node, tuned, version):
    """CNI's own `tuning`, chained after ours; the runtime then checks with the result of the whole chain."""
    _, sandbox = node.pod_and_sandbox(f"tuned-{next(iter(tuned))}-{version.replace('.', '-')}")
    _, result = node.call("add", sandbox, conf={"cniVersion": version})
    # Debian's tuning does not know 1.1.0; what it prints is what the specification has for both.
    conf = {"cniVersion": "1.0.0", "name": "tke-eni", "type": "tuning", **tuned}
    environment = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": sandbox.container_id,
        "CNI_NETNS": f"/run/netns/{sandbox.netns}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/usr/lib/cni",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        ["/usr/lib/cni/tuning"],
        input=json.dumps({**conf, "prevResult": {**result, "cniVersion": "1.0.0"}}),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    assert told["interfaces"][1].get("mac") == tuned.get("mac", result["interfaces"][1]["mac"])

    assert node.call("check", sandbox, conf={"cniVersion": version, "prevResult": told}) == (0, {})
    assert node.ctl("status")["problems"] == []
    with probes.SourceReporter(node.node.netns):
        node.eventually(
            "traffic", lambda: probes.seen_source(sandbox.netns, node.node.private_ip) == ip_of(result)
        )
    node.delete_pod(sandbox)


def test_gc_unbinds_the_eip_of_what_is_not_listed(node):
    _, sandbox, eip = node.pod_with_eip("lost-with-eip")
    assert node.call("add", sandbox)[0] == 0
    node.workloads.remove_pod("lost-with-eip")
    node.delete_claim("lost-with-eip")

    assert node.call("gc", conf={"cni.dev/valid-attachments": []}) == (0, {})

    node.eventually("unbound", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND)
    node.let_claim_go("lost-with-eip")
    node.runtime.remove_sandbox(sandbox)


@pytest.mark.parametrize(
    "listed", [..., "all", [{"containerID": "", "ifname": "eth0"}], [1], [{"containerID": "abc"}]]
)
def test_a_gc_that_is_not_understood_frees_nothing(node, listed):
    _, sandbox = node.pod_and_sandbox("spared")
    node.call("add", sandbox)
    conf = {} if listed is ... else {"cni.dev/valid-attachments": listed}

    code, error = node.call("gc", conf=conf)

    assert (code, error["code"]) == (1, 7)
    assert "spared" in node.pods()
    node.delete_pod(sandbox)


def test_gc_frees_exactly_what_is_not_listed(node):
    kept = [node.pod_and_sandbox(f"kept-{n}")[1] for n in range(2)]
    lost = node.pod_and_sandbox("lost")[1]
    results = {sandbox.pod_name: node.call("add", sandbox)[1] for sandbox in (*kept, lost)}
    listed = [{"containerID": s.container_id, "ifname": "eth0"} for s in kept]

    assert node.call("gc", conf={"cni.dev/valid-attachments": listed}) == (0, {})

    assert node.traces(ip_of(results["lost"])) == []
    assert {"kept-0", "kept-1"} <= set(node.pods())
    assert "lost" not in node.pods()
    for sandbox in (*kept, lost):
        node.delete_pod(sandbox)


def test_gc_of_another_network_touches_nothing(node):
    _, sandbox = node.pod_and_sandbox("ours")
    node.call("add", sandbox)

    assert node.call("gc", conf={"name": "other", "cni.dev/valid-attachments": []}) == (0, {})

    assert "ours" in node.pods()
    node.delete_pod(sandbox)


def test_status_of_a_node_that_can_take_pods(node):
    assert node.call("status") == (0, {})


@pytest.mark.parametrize(
    ("verb", "environment", "code"),
    [
        ("add", {"CNI_NETNS": ""}, 4),
        ("add", {"CNI_CONTAINERID": "../etc"}, 4),
        ("add", {"CNI_IFNAME": "a/b"}, 4),
        ("del", {"CNI_CONTAINERID": ""}, 4),
        ("add", {"CNI_ARGS": "K8S_POD_NAME=only"}, 4),
        ("add", {"CNI_NETNS": "/run/netns/there-is-none"}, 8),
    ],
)
def test_bad_environment_is_named_and_leaves_nothing(node, verb, environment, code):
    _, sandbox = node.pod_and_sandbox("bad")
    in_use = node.pool()["inUse"]

    exit_code, error = node.call(verb, sandbox, **environment)

    assert (exit_code, error["code"]) == (1, code)
    assert error["cniVersion"] == "1.1.0"
    assert node.pool()["inUse"] == in_use
    node.delete_pod(sandbox)


def test_pod_that_does_not_exist_is_said_so(node):
    pod = {"metadata": {"namespace": "default", "name": "ghost", "uid": ""}}
    sandbox = node.runtime.new_sandbox(pod=pod)

    code, error = node.call("add", sandbox)

    assert (code, error["code"]) == (1, 100)
    assert "Pod default/ghost" in error["msg"]
    assert "does not exist" in error["msg"]


def test_pod_that_was_replaced_is_refused_by_its_uid(node):
    pod, sandbox = node.pod_and_sandbox("replaced")
    old = {"metadata": {**pod["metadata"], "uid": "00000000-0000-0000-0000-000000000000"}}

    code, error = node.call("add", node.runtime.new_sandbox(pod=old))

    assert (code, error["code"]) == (1, 100)
    assert pod["metadata"]["uid"] in error["msg"]
    node.delete_pod(sandbox)
