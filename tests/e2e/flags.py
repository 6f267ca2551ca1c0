"""Flags of the daemons, added for a while to the args of what is deployed, as TKE's page says."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from testbed.cluster import deployment
from testbed.cluster.under_test import ClusterUnderTest

_IN_NAMESPACE = f"--namespace={deployment.NAMESPACE}"


@contextmanager
def controller_flags(cluster: ClusterUnderTest, *flags: str) -> Iterator[None]:
    """Add flags to the controller's until the end."""
    with _changed(cluster, deployment.CONTROLLER, lambda args: [*args, *flags]):
        yield


@contextmanager
def agent_flags(cluster: ClusterUnderTest, *flags: str) -> Iterator[None]:
    """Add flags to those of every agent until the end."""
    with _changed(cluster, deployment.AGENT, lambda args: [*args, *flags]):
        yield


@contextmanager
def without_agent_flag(cluster: ClusterUnderTest, flag: str) -> Iterator[None]:
    """Take a flag from every agent until the end."""
    with _changed(cluster, deployment.AGENT, lambda args: [arg for arg in args if arg != flag]):
        yield


@contextmanager
def _changed(
    cluster: ClusterUnderTest, workload: str, change: Callable[[list[str]], list[str]]
) -> Iterator[None]:
    kind, name = workload.split("/")
    path = f"/apis/apps/v1/namespaces/{deployment.NAMESPACE}/{kind}s/{name}"
    args = cluster.must_get(path)["spec"]["template"]["spec"]["containers"][0]["args"]
    _set_args(cluster, workload, change(args))
    try:
        yield
    finally:
        _set_args(cluster, workload, args)


def _set_args(cluster: ClusterUnderTest, workload: str, args: list[str]) -> None:
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": args}]
    cluster.kubectl("patch", workload, _IN_NAMESPACE, "--type=json", f"--patch={json.dumps(patch)}")
    cluster.kubectl("rollout", "status", workload, _IN_NAMESPACE, "--timeout=150s", seconds=160.0)
