"""Kubeconfigs that carry their certificates in themselves, as JSON (which is YAML). Pure."""

import base64
import json

from testbed.cluster.certificates import KeyPair


def kubeconfig(server: str, *, authority: bytes, user: str, identity: KeyPair) -> str:
    """Give a kubeconfig with which `user` reaches `server`."""
    cluster = {"server": server, "certificate-authority-data": _encoded(authority)}
    credentials = {
        "client-certificate-data": _encoded(identity.certificate),
        "client-key-data": _encoded(identity.key),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "cluster",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": user}}],
        "users": [{"name": user, "user": credentials}],
    }
    return json.dumps(document, indent=2) + "\n"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
