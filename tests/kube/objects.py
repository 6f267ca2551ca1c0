"""What the tests of the Kubernetes adapter share: objects that say their namespace, and who asks."""

from typing import Any

from tests.testkit import kubernetes_objects

AGENT = "tke-eni-agent"


def pod(name: str, *, namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    return kubernetes_objects.pod(name, namespace=namespace, **metadata)


def claim(name: str, *, namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    return kubernetes_objects.claim(name, namespace=namespace, **metadata)
