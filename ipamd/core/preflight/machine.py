"""Whether a node is fit: its kernel, and what its container runtime finds. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ipamd.core.cni import conflist
from ipamd.core.errors import InvalidInputError
from ipamd.core.kernel import kernel_release
from ipamd.core.kubernetes import fields
from ipamd.core.preflight.result import FitnessCheck, Judgement, fine, problem, unknown, warning

_OUR_MARK: Final = b"TKE_ENI_"
"""Begins the names of the variables that our plugin reads."""
_CRI: Final = ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri")
"""Where containerd's configuration has the CNI directories: since version 3 of it, and before."""
_WRAPS: Final = ("multus", "multus-shim")
"""Plugins that call another network, which is then ours."""


def kernel(release: str) -> Judgement:
    """Judge the release that uname(2) tells."""
    try:
        kernel_release.check(release)
    except InvalidInputError as e:
        return problem(FitnessCheck.KERNEL_RELEASE, "node/kernel", e.message, e.advice)
    return fine(FitnessCheck.KERNEL_RELEASE, "node/kernel", f"it is Linux {release}")


def features(refusal: str, advice: str) -> Judgement:
    """Judge what came of a trial in a network namespace of its own; `refusal` is empty when all was taken."""
    if refusal:
        return problem(
            FitnessCheck.KERNEL_FEATURES,
            "node/kernel",
            refusal,
            advice or "load the kernel modules nf_tables, nft_chain_nat, nft_ct, nft_fib_ipv4 and veth",
        )
    text = "it takes veth links, policy rules, the whole nft table and the settings"
    return fine(FitnessCheck.KERNEL_FEATURES, "node/kernel", text)


def features_untried(reason: str) -> Judgement:
    """Return that the trial could not be made."""
    step = "run it as root with CAP_SYS_ADMIN and CAP_NET_ADMIN, for example in the agent's container"
    return unknown(FitnessCheck.KERNEL_FEATURES, "node/kernel", f"no trial could be made: {reason}", step)


def plugin(path: str, program: bytes | None) -> Judgement:
    """Judge the program that stands where ours is to be; None: there is none."""
    subject = f"file{path}"
    if program is None:
        return fine(FitnessCheck.PLUGIN_OWNER, subject, "there is none yet")
    if _OUR_MARK in program:
        return fine(FitnessCheck.PLUGIN_OWNER, subject, "it is ours")
    return problem(
        FitnessCheck.PLUGIN_OWNER,
        subject,
        "a plugin of the same name is there that is not ours: TKE's VPC-CNI has one",
        "turn TKE's network components off, whose DaemonSet puts it there; then remove it",
    )


def order(directory: str, ours: str, files: Mapping[str, bytes]) -> Iterator[Judgement]:
    """Judge the runtime's configurations by name; `ours` is the name of our file. The first one counts."""
    read = sorted(name for name in files if name.endswith(conflist.READ_BY_RUNTIMES))
    before = [name for name in read if name < ours]
    if not before:
        text = f"nothing comes before {ours}" if read and read != [ours] else "there is no other"
        yield fine(FitnessCheck.CONFIGURATION_ORDER, f"directory{directory}", text)
    for name in before:
        types = conflist.plugin_types(files[name])
        wraps = sorted(types.intersection(_WRAPS))
        if wraps:
            text = f"it comes before {ours} and is {wraps[0]}'s, which calls another network"
            step = f"have {wraps[0]} call the network {conflist.NAME} (its default network)"
            yield warning(FitnessCheck.CONFIGURATION_ORDER, f"file{directory}/{name}", text, step)
        else:
            text = f"it comes before {ours}, so the runtime would take it and not ours"
            step = "remove the CNI plugin that it belongs to, and then the file"
            yield problem(FitnessCheck.CONFIGURATION_ORDER, f"file{directory}/{name}", text, step)


def runtime(path: str, configuration: Mapping[str, Any] | None, wanted: Sequence[str]) -> Judgement:
    """Judge containerd's configuration; None: it cannot be read. `wanted`: of programs, of configurations."""
    subject = f"file{path}"
    if configuration is None:
        text = "containerd's configuration is not seen from here, so its directories are not known"
        step = "run it where the file is, or name it with --containerd-config"
        return unknown(FitnessCheck.RUNTIME_DIRECTORIES, subject, text, step)
    found = _directories(configuration)
    for key, want, has in zip(("bin_dir", "conf_dir"), wanted, found, strict=True):
        if has and want not in has:
            text = f"{key} is {', '.join(has)}, and we write to {want}"
            step = f'set {key} = "{want}" in {path} and restart containerd'
            return problem(FitnessCheck.RUNTIME_DIRECTORIES, subject, text, step)
    return fine(FitnessCheck.RUNTIME_DIRECTORIES, subject, f"containerd looks in {wanted[0]} and {wanted[1]}")


def _directories(configuration: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return where programs and configurations are looked for; nothing where the default counts."""
    plugins = fields.mapping(configuration.get("plugins"))
    for name in _CRI:
        cni = fields.mapping(fields.mapping(plugins.get(name)).get("cni"))
        if cni:
            several = cni.get("bin_dirs")
            programs = several if isinstance(several, list) and several else [cni.get("bin_dir")]
            return [str(one) for one in programs if one], [str(one) for one in [cni.get("conf_dir")] if one]
    return [], []
