"""The pre-flight on a node as docs/install.md shows it: nothing of ours has to be installed for it."""

import json

from testbed.cluster import deployment
from testbed.cluster.under_test import ClusterUnderTest

IMAGE = f"{deployment.IMAGE}:{deployment.version()}"
WHERE = (
    "--bin-dir=/host/opt/cni/bin",
    "--conf-dir=/host/etc/cni/net.d",
    "--containerd-config=/host/etc/containerd/config.toml",
)


def test_kubectl_debug_looks_at_a_node_from_the_image_alone(cluster: ClusterUnderTest, namespace: str):
    node = cluster.nodes[0].name
    region = cluster.region.document["fabric"]

    cluster.kubectl(
        "debug", f"node/{node}", f"--namespace={namespace}", "--profile=sysadmin", f"--image={IMAGE}",
        "--image-pull-policy=IfNotPresent", "--", "ipamctl", "preflight", *WHERE,
        f"--metadata-url={region['metadata']}", f"--cloud-endpoint={region['cloud']}", "-o", "json",
    )  # fmt: skip
    (pod,) = cluster.kubectl("get", "pods", f"--namespace={namespace}", "--output=name").split()
    cluster.wait(
        "the look ends",
        lambda: (
            (cluster.pod(namespace, pod.removeprefix("pod/")) or {})["status"].get("phase")
            in ("Succeeded", "Failed")
        ),
    )

    told = json.loads(cluster.kubectl("logs", f"--namespace={namespace}", pod))
    result = {one["code"]: one["result"] for one in told["results"]}
    about_the_node = (
        "KernelRelease",
        "KernelFeatures",
        "PluginOwner",
        "RuntimeDirectories",
        "ConfigurationOrder",
    )
    assert {result[code] for code in about_the_node} == {"ok"}, told
    assert {result[code] for code in ("Metadata", "Credential", "Clock", "ReadRights")} == {"ok"}, told
