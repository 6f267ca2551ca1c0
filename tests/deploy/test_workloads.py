"""DaemonSet and Deployment: their flags are ours, paths and ports fit together, rights are small."""

import argparse
import re

import pytest
import yaml

from ipamd.agent import options as agent_options
from ipamd.controller import options as controller_options
from ipamd.installation import options as installation_options
from tests.deploy import manifests

SETTINGS = manifests.one("ConfigMap", "tke-eni-defaults")["data"]
AGENT = manifests.one("DaemonSet", "tke-eni-agent")["spec"]["template"]["spec"]
CONTROLLER = manifests.one("Deployment", "tke-eni-ipamd")["spec"]["template"]["spec"]
CONTAINERS = [
    (AGENT["initContainers"][0], "install-plugin", installation_options),
    (AGENT["containers"][0], "agent", agent_options),
    (CONTROLLER["containers"][0], "controller", controller_options),
]
MANUAL = (manifests.DEPLOY.parent / "docs/install.md").read_text()
CHOSEN = {"CLUSTER_ID": "cls-demo"}
NODE = {"NODE_NAME": "10.0.1.2"}


def arguments(container, options, **changes):
    """Parse what the container is started with, after the kubelet has put in the settings."""
    values = {**SETTINGS, **CHOSEN, **changes}
    _, *words = (re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], word) for word in container["args"])
    parser = argparse.ArgumentParser(exit_on_error=False)
    options.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(("container", "command", "options"), CONTAINERS)
def test_the_arguments_are_flags_of_the_command(container, command, options):
    assert container["args"][0] == command
    arguments(container, options)


def test_the_settings_that_are_shipped_make_valid_settings_once_the_cluster_is_named():
    agent = agent_options.settings(arguments(AGENT["containers"][0], agent_options), NODE)
    controller = controller_options.settings(
        arguments(CONTROLLER["containers"][0], controller_options), {"POD_NAME": "a", "POD_NAMESPACE": "b"}
    )

    assert agent.cluster_id == controller.cluster_id == "cls-demo"
    assert controller.lease_namespace == "b"


def test_every_setting_is_used_by_one_of_them():
    words = [word for container, _, _ in CONTAINERS for word in container["args"]]

    assert {name for name in SETTINGS if f"$({name})" not in "".join(words)} == set()


def test_what_an_operator_sets_is_no_part_of_what_is_applied_and_wins():
    """`kubectl apply` sets each key that it ships, whatever an operator has put there."""
    assert not manifests.one("ConfigMap", "tke-eni-settings").get("data")
    for container, command, _ in CONTAINERS[1:]:
        sources = [source["configMapRef"]["name"] for source in container["envFrom"]]
        assert sources == ["tke-eni-defaults", "tke-eni-settings"], command


@pytest.mark.parametrize(
    ("container", "options"),
    [(AGENT["containers"][0], agent_options), (CONTROLLER["containers"][0], controller_options)],
)
def test_probes_ask_the_health_address_and_time_out_after_it(container, options):
    host, port = re.match(r"(.*):(\d+)", arguments(container, options).health_address).groups()
    for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        asked = container[probe]
        assert asked["httpGet"] == {"host": host, "port": int(port), "path": path}
        assert asked["timeoutSeconds"] >= 5


def test_agent_and_controller_of_one_node_do_not_share_a_port():
    addresses = {arguments(container, options).health_address for container, _, options in CONTAINERS[1:]}
    assert len(addresses) == 2


@pytest.mark.parametrize(("container", "command", "options"), CONTAINERS)
def test_no_container_has_more_rights_than_it_needs(container, command, options):
    context = container["securityContext"]
    added = context["capabilities"].get("add", [])

    assert context["capabilities"]["drop"] == ["ALL"]
    assert added == (["NET_ADMIN", "SYS_ADMIN"] if command == "agent" else [])
    assert not context.get("privileged")
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_every_path_that_the_agent_writes_is_the_node_s():
    agent = agent_options.settings(arguments(AGENT["containers"][0], agent_options), NODE)
    mounts = {mount["mountPath"]: mount["name"] for mount in AGENT["containers"][0]["volumeMounts"]}
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in AGENT["volumes"]}

    for inside in (agent.socket.parent, agent.state_dir, agent.pending_deletes.parent, agent.cni_conf.parent):
        assert paths[mounts[str(inside)]] == str(inside)
    assert paths[mounts[str(agent.sysctl_root / "net")]] == "/proc/sys/net"
    assert paths[mounts[str(agent.cni_bin_dir)]] == "/opt/cni/bin"


def test_the_agent_looks_at_the_node_s_plugins_and_cannot_change_them():
    (mount,) = [mount for mount in AGENT["containers"][0]["volumeMounts"] if mount["name"] == "cni-bin"]
    assert mount["readOnly"]


def test_the_plugin_comes_to_where_runtimes_look_for_it():
    container = AGENT["initContainers"][0]
    chosen = arguments(container, installation_options)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in AGENT["volumes"]}

    assert paths[mounts[chosen.bin_dir]] == "/opt/cni/bin"
    assert paths[mounts[chosen.trees]] == "/opt/tke-eni"


def test_new_namespaces_of_pods_are_seen_by_the_agent():
    (mount,) = [mount for mount in AGENT["containers"][0]["volumeMounts"] if mount["name"] == "netns"]
    assert mount["mountPropagation"] == "HostToContainer"


@pytest.mark.parametrize("spec", [AGENT, CONTROLLER])
def test_both_start_before_there_is_a_network_for_pods(spec):
    assert spec["hostNetwork"]
    assert spec["dnsPolicy"] == "Default"
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_agent_runs_on_every_node_whatever_its_taints():
    assert AGENT["tolerations"] == [{"operator": "Exists"}]
    assert AGENT["priorityClassName"] == "system-node-critical"


@pytest.mark.parametrize(
    "workload",
    [manifests.one("DaemonSet", "tke-eni-agent"), manifests.one("Deployment", "tke-eni-ipamd")],
    ids=lambda workload: workload["kind"],
)
def test_each_workload_selects_its_own_pods(workload):
    spec = workload["spec"]
    assert selects(spec["selector"], spec["template"]["metadata"]["labels"])


def test_a_drain_may_evict_one_controller_and_not_the_last():
    budget = manifests.one("PodDisruptionBudget", "tke-eni-ipamd")
    deployment = manifests.one("Deployment", "tke-eni-ipamd")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    agents = manifests.one("DaemonSet", "tke-eni-agent")["spec"]["template"]["metadata"]["labels"]

    assert budget["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert selects(budget["spec"]["selector"], labels)
    assert not selects(budget["spec"]["selector"], agents)
    # With as many as there are no node of a controller could ever be drained.
    assert 0 < budget["spec"]["minAvailable"] < deployment["spec"]["replicas"]


def test_a_roll_out_replaces_as_many_agents_at_a_time_as_the_manual_says():
    strategy = manifests.one("DaemonSet", "tke-eni-agent")["spec"]["updateStrategy"]
    (percent,) = re.findall(r"The DaemonSet replaces (\d+) % of the agents at a time\.", MANUAL)

    # No surge: the new agent would come to the socket, the store and the port of the old one.
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": f"{percent}%"}}


def test_a_roll_out_of_the_controller_leaves_one_and_needs_no_third_node():
    spec = manifests.one("Deployment", "tke-eni-ipamd")["spec"]
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
    }
    assert spec["replicas"] > 1


def test_the_controller_is_put_before_other_pods_too():
    assert CONTROLLER["priorityClassName"] == "system-cluster-critical"


def selects(selector, labels):
    """Whether a label selector matches; only `matchLabels` is used here."""
    assert set(selector) == {"matchLabels"}
    return selector["matchLabels"].items() <= labels.items()


def test_the_grace_of_the_agent_covers_its_own():
    # agent/*/build.py: 10 s for the server, 5 s for each of pool, EIP reconciler and upkeep, 2 s for Events.
    assert AGENT["terminationGracePeriodSeconds"] > 10 + 1 + 3 * 5 + 2


COMPONENTS = sorted(
    path.parent.name for path in (manifests.DEPLOY / "components").glob("*/kustomization.yaml")
)
TARGETS = {"tke-eni-agent": CONTAINERS[1], "tke-eni-ipamd": CONTAINERS[2]}


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_a_component_adds_are_flags_of_its_target_and_no_address_twice(component):
    for patch in manifests.read(f"components/{component}/kustomization.yaml").get("patches", ()):
        if patch.get("target", {}).get("name") not in TARGETS or "patch" not in patch:
            continue
        steps = [step for step in yaml.safe_load(patch["patch"]) if step["path"].endswith("/args/-")]
        before = any("/initContainers/" in step["path"] for step in steps)
        container, _, options = CONTAINERS[0] if before else TARGETS[patch["target"]["name"]]
        added = [step["value"] for step in steps]
        extended = {**container, "args": [*container["args"], *added]}
        chosen = arguments(extended, options, HOST_IP="10.0.1.2")

        ports = [
            str(value).rpartition(":")[2]
            for name, value in vars(chosen).items()
            if name in ADDRESSES and value
        ]
        assert len(ports) == len(set(ports))


ADDRESSES = {"health_address", "metrics_address", "status_address", "admission_webhook"}
