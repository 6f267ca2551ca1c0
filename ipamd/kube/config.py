"""Where the API server is and who we are to it: from inside a Pod, or from a kubeconfig.

Inside a Pod only files and two environment variables are read, because the `kubernetes` package would cost
the per-node daemon 13 MiB; it is imported only for a kubeconfig that needs more than files and a token.
Proxies of the environment are not used: an API server behind one is named so by `proxy-url` of the
kubeconfig.
Thread safety: a `Connection` is immutable and its `authorization` may be called from any thread.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from ipamd.core.errors import InvalidInputError
from ipamd.kube.errors import ForbiddenError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts a Pod's credentials ("Accessing the API from a Pod")."""


def _nobody() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach one API server."""

    server: str
    """Base URL without a slash at its end."""
    authorization: Callable[[], str] = _nobody
    """Gives the value of the Authorization header, empty for none; asked before each request."""
    ca_file: str = ""
    """Empty: the system's certificate authorities."""
    cert_file: str = ""
    key_file: str = ""
    verify: bool = True
    tls_server_name: str = ""
    proxy: str = ""


def load(kubeconfig: str, environ: Mapping[str, str], *, master: str = "") -> Connection:
    """Return the connection of the kubeconfig, or of the Pod we run in when none is named.

    `master` is the URL of another API server than theirs; alone it is enough for one that asks no credential.
    Errors: InvalidInputError with what is missing.
    """
    if not master:
        return from_kubeconfig(kubeconfig) if kubeconfig else in_cluster(environ)
    parts = urlsplit(master)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise InvalidInputError(
            f"--master is {master[:80]!r}", advice="give http(s)://host:port of the API server"
        )
    base = from_kubeconfig(kubeconfig) if kubeconfig else _service_account(SERVICE_ACCOUNT)
    return replace(base, server=master.rstrip("/"))


def in_cluster(environ: Mapping[str, str], directory: Path = SERVICE_ACCOUNT) -> Connection:
    """Return the connection of a Pod's service account.

    The token is read anew for each request, as it rotates.
    """
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
    return Connection(
        server=f"https://{bracketed}:{port}", authorization=_FileToken(token), ca_file=str(authority)
    )


def own_namespace(kubeconfig: str, environ: Mapping[str, str], directory: Path = SERVICE_ACCOUNT) -> str:
    """Return the namespace of the Pod we run in, empty outside of one.

    POD_NAMESPACE says it (downward API), else the kubelet's file beside the service account's token; that
    file is not asked with a kubeconfig, whose cluster need not be the one we run in.
    Errors: InvalidInputError for a file that is there and cannot be read.
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
    """Return the connection of a kubeconfig's current or named context; its exec plug-ins work."""
    from ipamd.kube import kubeconfig  # noqa: PLC0415 - YAML that only users of a kubeconfig pay

    plain = kubeconfig.read_plain(path, context)
    if plain is not None:
        return Connection(
            server=plain.server,
            authorization=lambda: f"Bearer {plain.token}" if plain.token else "",
            ca_file=plain.ca_file,
            cert_file=plain.cert_file,
            key_file=plain.key_file,
            verify=plain.verify,
            tls_server_name=plain.tls_server_name,
            proxy=plain.proxy,
        )
    from kubernetes import client, config  # noqa: PLC0415 - 13 MiB that only users of plug-ins pay

    configuration = client.Configuration(proxy="")
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]  # has no annotations upstream
            config_file=path,
            context=context or None,
            client_configuration=configuration,
            persist_config=False,
        )
    except Exception as e:
        # The package lets through whatever YAML, wrong types in it, or the file system raise.
        raise InvalidInputError(
            f"kubeconfig {path} cannot be used: {e}", advice="check the file and its current-context"
        ) from e
    lock = threading.Lock()  # an exec plug-in is run again by whoever finds its token expired: one at a time

    def authorization() -> str:
        with lock:
            return configuration.get_api_key_with_prefix("BearerToken") or ""

    return Connection(
        server=configuration.host.rstrip("/"),
        authorization=authorization,
        ca_file=configuration.ssl_ca_cert or "",
        cert_file=configuration.cert_file or "",
        key_file=configuration.key_file or "",
        verify=bool(configuration.verify_ssl),
        tls_server_name=configuration.tls_server_name or "",
        proxy=configuration.proxy or "",
    )


def _service_account(directory: Path) -> Connection:
    """Return what a Pod's service account gives besides the server: nothing, outside of a Pod."""
    token, authority = directory / "token", directory / "ca.crt"
    return Connection(
        server="",
        authorization=_FileToken(token) if token.is_file() else _nobody,
        ca_file=str(authority) if authority.is_file() else "",
    )


class _FileToken:
    """The bearer token that stands in a file which the kubelet replaces."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> str:
        try:
            token = self._path.read_text().strip()
        except OSError as e:
            raise ForbiddenError(
                f"the service account token {self._path} cannot be read: {e.strerror}",
                advice="check the Pod's service account volume",
            ) from e
        return f"Bearer {token}"
