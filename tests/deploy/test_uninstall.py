"""What `kubectl eni uninstall` finds in the cluster: all that deploy/ puts there, of every component."""

import pytest

from ipamd.ctl.kubectl import installed_objects, removal_pods
from ipamd.kube.resources import MUTATING_WEBHOOKS
from tests.deploy import manifests

KINDS = (*installed_objects.WORKLOADS, installed_objects.CRDS, *installed_objects.REST, MUTATING_WEBHOOKS)
OBJECTS = {
    f"{path.relative_to(manifests.DEPLOY)}: {obj['kind']} {obj['metadata']['name']}": obj
    for path in sorted([*manifests.DEPLOY.glob("*.yaml"), *manifests.DEPLOY.glob("components/**/*.yaml")])
    if path.name != "kustomization.yaml"
    for obj in manifests.documents(str(path.relative_to(manifests.DEPLOY)))
}


@pytest.mark.parametrize("name", OBJECTS)
def test_each_object_of_deploy_is_found_by_label_and_kind(name):
    obj = OBJECTS[name]

    assert obj["metadata"].get("labels", {}).get(installed_objects.PART_OF) == installed_objects.OURS
    assert (obj["apiVersion"], obj["kind"]) in {(kind.api_version, kind.kind) for kind in KINDS}
    assert obj["metadata"].get("namespace", "kube-system") == "kube-system"


def test_what_the_controller_makes_is_known_by_name_and_nothing_else_is():
    assert installed_objects.is_ours({"metadata": {"name": "tke-eni-ipamd"}})
    assert not installed_objects.is_ours({"metadata": {"name": "tke-eni-keys"}})
    assert not installed_objects.is_ours(
        {"metadata": {"name": "a", "labels": {installed_objects.PART_OF: "b"}}}
    )


def test_a_node_s_pod_reaches_what_agent_and_installation_reach_and_may_write_there():
    [daemon_set] = manifests.documents("daemonset.yaml")

    pod = removal_pods.for_node(daemon_set, "10.0.1.3")

    [container] = pod["spec"]["containers"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
        "/run/tke-eni",
        "/var/lib/tke-eni",
        "/etc/cni/net.d",
        "/host/opt/cni/bin",
        "/host/opt/tke-eni",
        "/host/etc/cni/net.d",
        "/run/netns",
        "/host/proc/sys/net",
    }
    assert not any(mount.get("readOnly") for mount in container["volumeMounts"])
    assert container["args"] == [
        "remove-from-node",
        "--cni-conf=/etc/cni/net.d/10-tke-eni.conflist",
        "--cni-bin-dir=/host/opt/cni/bin",
        "--sysctl-root=/host/proc/sys",
    ]
    assert pod["spec"]["nodeName"] == "10.0.1.3"
    assert pod["spec"]["hostNetwork"]


def test_the_account_s_pod_has_no_rights_on_the_node_and_asks_as_the_agent_does():
    [daemon_set] = manifests.documents("daemonset.yaml")

    pod = removal_pods.for_account(daemon_set, "10.0.1.3")

    [eips], [enis] = pod["spec"]["initContainers"], pod["spec"]["containers"]
    common = [
        "--cluster-id=$(CLUSTER_ID)",
        "--cloud-endpoint=$(CLOUD_ENDPOINT)",
        "--metadata-url=$(METADATA_URL)",
    ]
    assert eips["command"] == ["ipamctl", "eip", "cleanup", *common, "--yes", "--unbind", "--keep-tke"]
    taken = ["--yes", "--detach", "--reservations"]
    assert enis["command"] == ["ipamctl", "eni", "cleanup", *common, *taken]
    assert "volumes" not in pod["spec"]
    assert eips["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert eips["envFrom"] == daemon_set["spec"]["template"]["spec"]["containers"][0]["envFrom"]
