"""Where the API server is and who we are to it: from inside a Pod, or from a kubeconfig.

Inside a Pod only files and two environment variables are read. Proxies of the environment are not used: an
API server behind one is named so by `proxy-url` of the kubeconfig.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ipamd.core.errors import InvalidInputError
from ipamd.kube.connection import Connection, fault_of_url
from ipamd.kube.credentials import TokenFile

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts a Pod's credentials ("Accessing the API from a Pod")."""


def load(kubeconfig: str, environ: Mapping[str, str], *, master: str = "") -> Connection:
    """Return the connection of the kubeconfig, or of the Pod we run in when none is named.

    `master` is the URL of another API server than theirs; alone it is enough for one that asks no credential.
    Raises: InvalidInputError with what is missing.
    """
    if not master:
        return from_kubeconfig(kubeconfig) if kubeconfig else in_cluster(environ)
    if fault := fault_of_url(master, path=False):
        raise InvalidInputError(f"--master {fault}", advice="give http(s)://host:port of the API server")
    base = from_kubeconfig(kubeconfig) if kubeconfig else _service_account(SERVICE_ACCOUNT)
    return replace(base, server=master.rstrip("/"))


def in_cluster(
    environ: Mapping[str, str],
    directory: Path = SERVICE_ACCOUNT,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> Connection:
    """Return the connection of a Pod's service account, whose token is read again as it rotates."""
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT", "")
    token, authority = directory / "token", directory / "ca.crt"
    if not host or not port:
        raise InvalidInputError(
            "no API server is known: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set",
            advice="run inside a Pod, or name a kubeconfig with --kubeconfig",
        )
    for path in (token, authority):
        if not path.is_file():
            raise InvalidInputError(
                f"the service account file {path} does not exist",
                advice="set automountServiceAccountToken of the Pod, or name a kubeconfig with --kubeconfig",
            )
    bracketed = f"[{host}]" if ":" in host else host
    source = _token(token, monotonic)
    return Connection(
        server=f"https://{bracketed}:{port}",
        authorization=source,
        refused=source.refused,
        ca_file=str(authority),
    )


def own_namespace(kubeconfig: str, environ: Mapping[str, str], directory: Path = SERVICE_ACCOUNT) -> str:
    """Return the namespace of the Pod we run in, empty outside of one.

    POD_NAMESPACE says it (downward API), else the kubelet's file beside the service account's token; that
    file is not asked with a kubeconfig, whose cluster need not be the one we run in.
    Raises: InvalidInputError for a file that is there and cannot be read.
    """
    told = environ.get("POD_NAMESPACE", "")
    path = directory / "namespace"
    if told or kubeconfig or not path.exists():
        return told
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as e:
        raise InvalidInputError(
            f"the service account file {path} cannot be read: {e}",
            advice="give the Pod's namespace in the environment as POD_NAMESPACE",
        ) from e


def from_kubeconfig(path: str, context: str = "") -> Connection:
    """Return the connection of a kubeconfig's current or named context.

    Raises: InvalidInputError.
    """
    from ipamd.kube import kubeconfig  # noqa: PLC0415 - YAML that only users of a kubeconfig pay

    return kubeconfig.read(path, context)


def _service_account(directory: Path) -> Connection:
    """Return what a Pod's service account gives besides the server: nothing, outside of a Pod."""
    token, authority = directory / "token", directory / "ca.crt"
    connection = Connection(server="", ca_file=str(authority) if authority.is_file() else "")
    if not token.is_file():
        return connection
    source = _token(token, time.monotonic)
    return replace(connection, authorization=source, refused=source.refused)


def _token(path: Path, monotonic: Callable[[], float]) -> TokenFile:
    return TokenFile(path, f"the service account token {path}", monotonic=monotonic)
