"""What a container runtime asks of a CNI plugin, read from the plugin's environment and standard input.

There is one `parse_*` function for each verb, because each verb demands other fields; all of them raise
CniError, and nothing else, whatever bytes they are given. What is read is bounded: sizes, characters, depth.
Names are checked by the rules of the reference library (containernetworking/cni, pkg/utils and pkg/skel), so
that what reaches the ledger, the kernel and the log is harmless. Paths are checked for form only; that a path
leads to a namespace is the data plane's to see.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from ipamd.core.cni import errors, netconf, result
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.cni.netconf import NetConf
from ipamd.core.model import PodRef, SandboxKey

_VARIABLES: Final = {
    name.encode(): name for name in ("CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_ARGS")
}
_MAX_VALUE: Final = 4095
"""PATH_MAX without its NUL; enough for the other variables too."""
_MAX_IFNAME: Final = 15
_MAX_ATTACHMENTS: Final = 8192

_IFNAME: Final = re.compile(r"[^/:\s\x00-\x1f\x7f]+")
_DNS_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_UID: Final = re.compile(r"[a-zA-Z0-9-]{0,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRequest:
    """Give this sandbox its interface."""

    conf: NetConf
    key: SandboxKey
    netns: str
    pod: PodRef
    infra_container_id: str
    """K8S_POD_INFRA_CONTAINER_ID, empty when not given; with containerd it is the key's container ID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DelRequest:
    """Take away what ADD gave. The namespace is not asked for: it may be gone."""

    conf: NetConf
    key: SandboxKey
    pod: PodRef | None
    """None when the runtime did not say, or nothing that could be a Pod: DEL has to succeed anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """Compare the kernel with what ADD had returned."""

    conf: NetConf
    key: SandboxKey
    netns: str
    previous: result.PreviousResult


@dataclass(frozen=True, slots=True, kw_only=True)
class GcRequest:
    """Take away what belongs to none of these attachments."""

    conf: NetConf
    valid: frozenset[SandboxKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """Say whether ADD could be served."""

    conf: NetConf


def parse_add(environment: Sequence[bytes], stdin: bytes) -> AddRequest:
    """Read an ADD; CNI_ARGS must name the Pod, as every Kubernetes runtime does."""
    conf = netconf.parse(stdin)
    variables = _variables(environment, "ADD", conf)
    arguments = _arguments(variables, conf)
    infra = arguments.get("K8S_POD_INFRA_CONTAINER_ID", "")
    if infra and not netconf.is_name(infra):
        _refuse_environment(conf, "K8S_POD_INFRA_CONTAINER_ID in CNI_ARGS", infra, "a container ID")
    return AddRequest(
        conf=conf,
        key=_key(variables, conf),
        netns=_netns(variables, conf),
        pod=_pod(arguments, conf),
        infra_container_id=infra,
    )


def parse_del(environment: Sequence[bytes], stdin: bytes) -> DelRequest:
    """Read a DEL: only the attachment itself has to be named properly."""
    conf = netconf.parse(stdin)
    variables = _variables(environment, "DEL", conf)
    try:
        pod = _pod(_arguments(variables, conf), conf)
    except CniError:
        pod = None
    return DelRequest(conf=conf, key=_key(variables, conf), pod=pod)


def parse_check(environment: Sequence[bytes], stdin: bytes) -> CheckRequest:
    """Read a CHECK; `prevResult` is required."""
    conf = netconf.parse(stdin, since="0.4.0", verb="CHECK")
    variables = _variables(environment, "CHECK", conf)
    if "prevResult" not in conf.settings:
        raise CniError(
            Code.INVALID_CONFIG,
            "CHECK: the configuration has no prevResult, the result of the ADD to compare with",
            advice="the runtime has to pass the cached result of ADD (CNI specification, CHECK)",
            version=conf.version,
        )
    return CheckRequest(
        conf=conf,
        key=_key(variables, conf),
        netns=_netns(variables, conf),
        previous=result.parse_previous(conf),
    )


def parse_gc(environment: Sequence[bytes], stdin: bytes) -> GcRequest:
    """Read a GC.

    A missing list is refused, because it would free every Pod of the node; null is the empty list, as the
    reference library encodes one.
    """
    conf = netconf.parse(stdin, since="1.1.0", verb="GC")
    _variables(environment, "GC", conf)
    field = "cni.dev/valid-attachments"
    raw = conf.settings.get(field, ...)
    if raw is None:
        raw = []
    if not isinstance(raw, list) or len(raw) > _MAX_ATTACHMENTS:
        raise CniError(
            Code.INVALID_CONFIG,
            f"GC: {field} must be a list of at most {_MAX_ATTACHMENTS} attachments",
            advice="nothing was freed; the runtime has to list the attachments that are to stay",
            version=conf.version,
        )
    return GcRequest(conf=conf, valid=frozenset(_attachment(entry, conf) for entry in raw))


def parse_status(environment: Sequence[bytes], stdin: bytes) -> StatusRequest:
    """Read a STATUS."""
    conf = netconf.parse(stdin, since="1.1.0", verb="STATUS")
    _variables(environment, "STATUS", conf)
    return StatusRequest(conf=conf)


def _variables(environment: Sequence[bytes], verb: str, conf: NetConf) -> dict[str, str]:
    """Return those CNI_* variables that are used; like getenv, the first of two with the same name."""
    variables: dict[str, str] = {}
    for entry in environment:
        name, _, value = entry.partition(b"=")
        variable = _VARIABLES.get(name)
        if variable is None or variable in variables:
            continue
        try:
            text = value.decode()
        except UnicodeDecodeError as e:
            _refuse_environment(conf, variable, repr(value[:80]), "UTF-8", cause=e)
        if len(text) > _MAX_VALUE or "\0" in text:
            _refuse_environment(conf, variable, text, f"at most {_MAX_VALUE} characters without NUL")
        variables[variable] = text
    if variables.get("CNI_COMMAND", verb) != verb:
        _refuse_environment(conf, "CNI_COMMAND", variables["CNI_COMMAND"], verb)
    return variables


def _key(variables: Mapping[str, str], conf: NetConf) -> SandboxKey:
    container_id = variables.get("CNI_CONTAINERID", "")
    if not netconf.is_name(container_id):
        _refuse_environment(
            conf, "CNI_CONTAINERID", container_id, f"a container ID of at most {netconf.MAX_NAME} characters"
        )
    ifname = variables.get("CNI_IFNAME", "")
    if not _is_ifname(ifname):
        _refuse_environment(
            conf, "CNI_IFNAME", ifname, f"1 to {_MAX_IFNAME} bytes without '/', ':' and white space"
        )
    return SandboxKey(container_id=container_id, ifname=ifname)


def _netns(variables: Mapping[str, str], conf: NetConf) -> str:
    netns = variables.get("CNI_NETNS", "")
    if not netns.startswith("/"):
        _refuse_environment(conf, "CNI_NETNS", netns, "the absolute path of a network namespace")
    return netns


def _arguments(variables: Mapping[str, str], conf: NetConf) -> dict[str, str]:
    """Return CNI_ARGS as a mapping; unknown keys are let pass, as IgnoreUnknown=1 asks."""
    arguments: dict[str, str] = {}
    for pair in filter(None, variables.get("CNI_ARGS", "").split(";")):
        name, equals, value = pair.partition("=")
        if not equals:
            _refuse_environment(conf, "CNI_ARGS", pair, "pairs NAME=value, separated by ';'")
        arguments[name] = value
    return arguments


def _pod(arguments: Mapping[str, str], conf: NetConf) -> PodRef:
    fields = (
        ("K8S_POD_NAMESPACE", _DNS_LABEL, "the Pod's namespace"),
        ("K8S_POD_NAME", _DNS_SUBDOMAIN, "the Pod's name"),
        ("K8S_POD_UID", _UID, "the Pod's UID, or nothing"),
    )
    for name, pattern, allowed in fields:
        value = arguments.get(name, "")
        if not pattern.fullmatch(value):
            _refuse_environment(conf, f"{name} in CNI_ARGS", value, allowed)
    return PodRef(
        namespace=arguments["K8S_POD_NAMESPACE"],
        name=arguments["K8S_POD_NAME"],
        uid=arguments.get("K8S_POD_UID", ""),
    )


def _attachment(entry: object, conf: NetConf) -> SandboxKey:
    if isinstance(entry, dict):
        container_id, ifname = entry.get("containerID"), entry.get("ifname")
        if isinstance(container_id, str) and isinstance(ifname, str) and container_id and ifname:
            return SandboxKey(container_id=container_id, ifname=ifname)
    raise CniError(
        Code.INVALID_CONFIG,
        f"GC: {errors.shown(entry)} in cni.dev/valid-attachments names no container ID and interface",
        advice="nothing was freed; the runtime has to list the attachments that are to stay",
        version=conf.version,
    )


def _is_ifname(text: str) -> bool:
    short = len(text.encode()) <= _MAX_IFNAME
    return short and text not in (".", "..") and _IFNAME.fullmatch(text) is not None


def _refuse_environment(
    conf: NetConf, name: str, value: str, allowed: str, *, cause: Exception | None = None
) -> NoReturn:
    message = f"{name} is {errors.shown(value)}" if value else f"{name} is not set"
    raise CniError(
        Code.INVALID_ENVIRONMENT, message, advice=f"it must be {allowed}", version=conf.version
    ) from cause
