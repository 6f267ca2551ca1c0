"""Reads a kubeconfig: its current (or a named) context becomes a connection, or an error of one line.

All that says who we are is honoured or refused by name: a field that is passed over would let us act as
somebody else, or talk to somebody else. Contract: "Organizing Cluster Access Using kubeconfig Files" and the
reference `kubeconfig v1`; where that leaves something open, client-go's behaviour. Errors (InvalidInputError)
name file and field and repeat no credential.
"""

import base64
import binascii
import dataclasses
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import yaml

from ipamd.core.errors import InvalidInputError
from ipamd.core.text.quoting import shown
from ipamd.kube import exec_plugin, tls_files
from ipamd.kube.connection import Connection, fault_of_url
from ipamd.kube.credentials import TokenFile, header_from, token_from
from ipamd.kube.errors import ForbiddenError
from ipamd.kube.kubeconfig_fields import Fields
from ipamd.kube.tls_files import MemoryFile

_LARGEST = 1 << 20
_MOST_FIELDS = 1000
"""In one mapping of the file."""
_CONTEXT = ("cluster", "user", "namespace", "extensions")
_CLUSTER = (
    *("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url"),
    *("certificate-authority", "certificate-authority-data", "disable-compression", "extensions"),
)
_USER = (
    *("client-certificate", "client-certificate-data", "client-key", "client-key-data"),
    *("token", "tokenFile", "username", "password", "exec"),
    *("as", "as-uid", "as-groups", "as-user-extra", "extensions"),
)
_EXEC = ("command", "args", "env", "apiVersion", "installHint", "provideClusterInfo", "interactiveMode")


def read(path: str, context: str = "") -> Connection:
    """Return the connection of the current or named context. Raises: InvalidInputError."""
    file = _path(path)
    root = Fields(f"kubeconfig {path}:", _document(file, path))
    chosen = root.named("contexts", context or root.text("current-context", needed=True), "context")
    chosen.check_known(_CONTEXT)
    cluster = root.named("clusters", chosen.text("cluster", needed=True), "cluster")
    cluster.check_known(_CLUSTER)
    name = chosen.text("user")
    user = root.named("users", name, "user") if name else Fields(f"kubeconfig {path}: (no user)", {})
    user.check_known(_USER, {"auth-provider": "its plug-ins have left Kubernetes: use exec, or a token"})
    connection = _of_cluster(cluster, file.parent)
    connection = _with_certificate(connection, user, file.parent)
    connection = _with_token(connection, user, cluster, file.parent)
    connection = dataclasses.replace(connection, impersonation=_impersonation(user))
    if fault := tls_files.fault_of(connection):
        raise InvalidInputError(
            f"kubeconfig {path}: {fault}", advice="correct the file or the field that names it"
        )
    return connection


def _path(path: str) -> Path:
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:  # "~name" of nobody
        raise InvalidInputError(
            f"kubeconfig {path} is in the home of a user who is not known here", advice="give its full path"
        ) from None


class _Loader(yaml.SafeLoader):
    """Merges `<<` as far as people do: a few lines that merge each other could fill all memory."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put merged fields into the mapping. Raises: YAMLError."""
        super().flatten_mapping(node)
        if len(node.value) > _MOST_FIELDS:
            raise yaml.YAMLError("too many fields in one mapping")


def _document(file: Path, path: str) -> object:
    try:
        with file.open("rb") as stream:
            text = stream.read(_LARGEST + 1)
    except OSError as e:
        raise InvalidInputError(
            f"kubeconfig {path} cannot be read: {e.strerror}", advice="give another file with --kubeconfig"
        ) from e
    if len(text) > _LARGEST:
        raise InvalidInputError(
            f"kubeconfig {path} is larger than {_LARGEST} bytes", advice="give another file"
        )
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as e:  # its message shows the line, which may hold a credential
        mark = e.problem_mark or e.context_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidInputError(f"kubeconfig {path} is no YAML{where}", advice="correct it") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InvalidInputError(f"kubeconfig {path} is no YAML", advice="correct it") from None


def _of_cluster(cluster: Fields, directory: Path) -> Connection:
    server = cluster.text("server", needed=True)
    fault = fault_of_url(server)
    if "@" in server.partition("://")[2].partition("/")[0]:
        fault = "has a user in it, which belongs into the user's fields"
    if fault:
        raise cluster.wrong("server", fault, "write it like https://10.0.0.5:6443")
    insecure = cluster.flag("insecure-skip-tls-verify")
    ca_file, kept = _file(cluster, "certificate-authority", directory)
    if insecure and ca_file:
        raise cluster.wrong(
            "insecure-skip-tls-verify", "is true beside a certificate authority", "remove one of the two"
        )
    proxy, proxy_authorization = _proxy(cluster)
    return Connection(
        server=server.rstrip("/"),
        ca_file=ca_file,
        verify=not insecure,
        tls_server_name=header_from(cluster.text("tls-server-name"), cluster.title("tls-server-name")),
        proxy=proxy,
        proxy_authorization=proxy_authorization,
        kept=kept,
    )


def _proxy(cluster: Fields) -> tuple[str, str]:
    """Return the proxy's URL without credentials, and what is sent to it as Proxy-Authorization."""
    url = cluster.text("proxy-url")
    if not url:
        return "", ""
    if fault := fault_of_url(url, path=False):
        raise cluster.wrong(
            "proxy-url", fault, "name an HTTP proxy: http://host:port; there is no SOCKS here"
        )
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    basic = _basic(unquote(name), unquote(password)) if at else ""
    return f"{parts.scheme}://{host}", basic


def _with_certificate(connection: Connection, user: Fields, directory: Path) -> Connection:
    cert_file, kept_cert = _file(user, "client-certificate", directory)
    key_file, kept_key = _file(user, "client-key", directory)
    if bool(cert_file) != bool(key_file):
        missing = "client-key" if cert_file else "client-certificate"
        raise user.wrong(missing, "is missing beside its counterpart", "give both or none")
    return dataclasses.replace(
        connection, cert_file=cert_file, key_file=key_file, kept=(*connection.kept, *kept_cert, *kept_key)
    )


def _with_token(connection: Connection, user: Fields, cluster: Fields, directory: Path) -> Connection:
    """As client-go: file, token, password, plug-in, the first that is there; no password beside a token."""
    file, token, name = user.text("tokenFile"), user.text("token"), user.text("username")
    if (file or token) and (name or user.text("password")):
        field = "username" if name else "password"
        raise user.wrong(field, "stands beside a token", "keep one way to log in")
    if user.text("password") and not name:
        raise user.wrong("username", "is missing beside password", "say whose password it is")
    if file:
        source = TokenFile(directory / file, user.title("tokenFile") + f" ({directory / file})")
        try:
            source()
        except ForbiddenError as e:  # what is wrong from the start is told at the start
            raise InvalidInputError(e.message, advice=e.advice) from None
        return dataclasses.replace(connection, authorization=source, refused=source.refused)
    if token:
        value = f"Bearer {token_from(token, user.title('token'))}"
        return dataclasses.replace(connection, authorization=lambda: value)
    if name:
        basic = _basic(name, user.text("password"))
        return dataclasses.replace(connection, authorization=lambda: basic)
    if user.has("exec"):
        plugged = exec_plugin.ExecToken(_plugin(user.section("exec"), cluster, directory))
        return dataclasses.replace(connection, authorization=plugged, refused=plugged.refused)
    return connection


def _plugin(fields: Fields, cluster: Fields, directory: Path) -> exec_plugin.ExecPlugin:
    fields.check_known(_EXEC)
    command, version = fields.text("command", needed=True), fields.text("apiVersion", needed=True)
    if version not in exec_plugin.VERSIONS:
        allowed = " and ".join(exec_plugin.VERSIONS)
        raise fields.wrong("apiVersion", f"is {shown(version)}", f"allowed are {allowed}")
    mode = fields.text("interactiveMode") or "IfAvailable"
    if mode not in ("Never", "IfAvailable", "Always"):
        raise fields.wrong(
            "interactiveMode", f"is {shown(mode)}", "allowed are Never, IfAvailable and Always"
        )
    if mode == "Always" and not exec_plugin.at_terminal():
        raise fields.wrong(
            "interactiveMode", "is Always and there is no terminal", "use another plug-in or a token"
        )
    program = str(directory / command) if "/" in command else command
    if shutil.which(program) is None:
        hint = " ".join(fields.text("installHint").split())[:200]
        raise fields.wrong(
            "command",
            f"is {shown(command)}, and there is no such program",
            hint or "install it, or use a token",
        )
    return exec_plugin.ExecPlugin(
        title=f"{fields.title()} (plug-in {shown(command)})",
        command=(program, *fields.texts("args")),
        version=version,
        environment={
            entry.text("name", needed=True): entry.text("value") for entry in fields.sections("env")
        },
        cluster=_told(cluster, directory) if fields.flag("provideClusterInfo") else None,
        interactive=mode != "Never" and exec_plugin.at_terminal(),
        hint=fields.text("installHint"),
    )


def _told(cluster: Fields, directory: Path) -> dict[str, Any]:
    """Return what a plug-in is told of the cluster: the CA itself, also when it is in a file."""
    told: dict[str, Any] = {
        name: cluster.text(name)
        for name in ("server", "tls-server-name", "proxy-url", "certificate-authority-data")
        if cluster.text(name)
    }
    if (ca_file := cluster.text("certificate-authority")) and "certificate-authority-data" not in told:
        try:
            told["certificate-authority-data"] = base64.b64encode((directory / ca_file).read_bytes()).decode()
        except OSError as e:
            raise cluster.wrong(
                "certificate-authority", f"cannot be read: {e.strerror}", "correct the file or the field"
            ) from None
    if cluster.flag("insecure-skip-tls-verify"):
        told["insecure-skip-tls-verify"] = True
    for extension in cluster.sections("extensions"):
        if extension.text("name") == "client.authentication.k8s.io/exec":
            told["config"] = extension.raw("extension")
    return told


def _impersonation(user: Fields) -> tuple[tuple[str, str], ...]:
    name = user.text("as")
    headers = [("Impersonate-User", name, "as")] if name else []
    if uid := user.text("as-uid"):
        headers.append(("Impersonate-Uid", uid, "as-uid"))
    headers += [("Impersonate-Group", group, "as-groups") for group in user.texts("as-groups")]
    if user.has("as-user-extra"):
        extra = user.section("as-user-extra")
        headers += [
            (f"Impersonate-Extra-{quote(key, safe='')}", value, "as-user-extra")
            for key in extra.names()
            for value in extra.texts(key)
        ]
    if headers and not name:
        raise user.wrong(headers[0][2], "stands there without as", "say as whom to act, or remove it")
    return tuple((header, header_from(value, user.title(field))) for header, value, field in headers)


def _file(fields: Fields, name: str, directory: Path) -> tuple[str, tuple[object, ...]]:
    """Return the path of a certificate or key, and what keeps it alive; its data wins over its file."""
    data = fields.text(f"{name}-data")
    if data:
        try:
            memory = MemoryFile(base64.b64decode("".join(data.split()), validate=True))
        except (binascii.Error, ValueError):
            raise fields.wrong(f"{name}-data", "is no base64", "encode the PEM text with base64") from None
        return memory.path, (memory,)
    path = fields.text(name)
    return (str(directory / path) if path else ""), ()


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
