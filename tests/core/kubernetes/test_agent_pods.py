"""Which Pods are agents of ours that are ready, by what is kept of them."""

import pytest

from ipamd.core.kubernetes import pods


def agent_pod(*, phase="Running", conditions=({"type": "Ready", "status": "True"},), **owner):
    reference = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "tke-eni-agent", "uid": "d"}
    metadata = {
        "namespace": "kube-system",
        "name": "tke-eni-agent-x",
        "uid": "u",
        "ownerReferences": [{**reference, "controller": True, **owner}],
    }
    return pods.trim({"metadata": metadata, "spec": {}, "status": {"phase": phase, "conditions": conditions}})


def ready(status, kind="Ready"):
    return [{"type": kind, "status": status}]


@pytest.mark.parametrize(
    ("pod", "runs"),
    [
        (agent_pod(conditions=ready("True")), True),
        (agent_pod(conditions=[*ready("True", "Initialized"), *ready("True")]), True),
        (agent_pod(conditions=ready("False")), False),
        (agent_pod(conditions=[*ready("True", "Initialized"), *ready("False")]), False),
        (agent_pod(conditions=ready("True", "Initialized")), False),
        (agent_pod(conditions=[]), False),
        (agent_pod(conditions=None), False),
        (agent_pod(conditions=ready("True"), phase="Succeeded"), False),
        (agent_pod(conditions=ready("True"), phase="Failed"), False),
        (agent_pod(conditions=ready("True"), name="other"), False),
        (agent_pod(conditions=ready("True"), kind="Deployment"), False),
        (agent_pod(conditions=ready("True"), controller=False), False),
    ],
)
def test_an_agent_runs_that_is_of_our_daemonset_and_ready(pod, runs):
    assert pods.runs_ready_agent(pod) is runs
