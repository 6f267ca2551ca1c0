"""Reads a kubeconfig that needs nothing but files: a server, perhaps certificates by path, perhaps a token.

The `kubernetes` package understands every kubeconfig and costs a per-node daemon 13 MiB of memory. What is
plain is read here; everything else (exec, auth-provider, embedded certificates, passwords) is left to it, and
so are the words for what is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_LARGEST = 1 << 20
_INSECURE = "insecure-skip-tls-verify"
_CLUSTER = {"certificate-authority", _INSECURE, "proxy-url", "server", "tls-server-name"}
_USER = {"client-certificate", "client-key", "token"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainConfig:
    """The current (or named) context of a plain kubeconfig; paths are absolute, empty for none."""

    server: str
    ca_file: str
    cert_file: str
    key_file: str
    token: str
    verify: bool
    tls_server_name: str
    proxy: str


def read_plain(path: str, context: str = "") -> PlainConfig | None:
    """Return the content of a kubeconfig that is plain and complete; None for any other and a wrong one."""
    try:
        with Path(path).open("rb") as stream:
            document = yaml.safe_load(stream.read(_LARGEST))
    except (OSError, yaml.YAMLError, RecursionError):
        return None
    root = _mapping(document)
    chosen = _named(root.get("contexts"), context or root.get("current-context"), "context")
    cluster = _named(root.get("clusters"), chosen.get("cluster"), "cluster")
    user = _named(root.get("users"), chosen.get("user"), "user")
    verify = cluster.get(_INSECURE) is not True
    fields = {**cluster, **user}
    texts = {key: value for key, value in fields.items() if isinstance(value, str)}
    understood = set(cluster) <= _CLUSTER and set(user) <= _USER
    if not understood or not texts.get("server") or set(fields) - set(texts) - {_INSECURE}:
        return None

    def file(key: str) -> str:
        return str(Path(path).absolute().parent / texts[key]) if texts.get(key) else ""

    return PlainConfig(
        server=texts["server"].rstrip("/"),
        ca_file=file("certificate-authority"),
        cert_file=file("client-certificate"),
        key_file=file("client-key"),
        token=texts.get("token", ""),
        verify=verify,
        tls_server_name=texts.get("tls-server-name", ""),
        proxy=texts.get("proxy-url", ""),
    )


def _named(entries: object, name: object, kind: str) -> Mapping[str, Any]:
    """Return the `kind` of the entry with this name, empty when there is none."""
    listed = entries if isinstance(entries, list) else []
    found = next((_mapping(entry) for entry in listed if _mapping(entry).get("name") == name), {})
    return _mapping(found.get(kind))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
