"""An upgrade, which is `kubectl apply` again, leaves what an operator has set."""

import json


def test_what_an_operator_has_set_outlives_an_upgrade(cluster):
    cluster.apply("settings.yaml")
    chosen = {"CLUSTER_ID": "cls-abcd1234", "REGION": "ap-guangzhou", "RELEASES": "stopped"}
    cluster.kubectl(
        "--namespace=kube-system",
        "patch",
        "configmap",
        "tke-eni-settings",
        "--type=merge",
        f"--patch={json.dumps({'data': chosen})}",
    )

    cluster.apply("settings.yaml")

    shown = cluster.kubectl(
        "--namespace=kube-system", "get", "configmap", "tke-eni-settings", "--output=json"
    )
    assert json.loads(shown)["data"] == chosen
