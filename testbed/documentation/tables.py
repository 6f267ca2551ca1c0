"""Tables of what code and manifests declare: flags, variables, keys of the ConfigMap, alerts, modules."""

import argparse
import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import ipamd.agent.options
import ipamd.controller.options
import ipamd.installation.options
from ipamd.core.findings.codes import FindingCode
from ipamd.ctl import __main__ as ipamctl
from ipamd.ctl.kubectl import command as kubectl_eni
from ipamd.flags import declaration, kinds
from ipamd.flags.declaration import Flag
from simulator import __main__ as simulator
from testbed.chart import chart
from testbed.documentation import alerts, config_map, modules

_ROOT: Final = Path(__file__).parents[2]
_PLUGIN_DEFAULTS: Final = _ROOT / "cni_plugin" / "defaults.py"
_UNTOLD: Final = (argparse._HelpAction, argparse._SubParsersAction)  # noqa: SLF001 - they have no other names
_DEFAULT: Final = re.compile(r",? ?\(default:? (.*)\)$")


def all_of_them() -> Mapping[str, str]:
    """Return every table by the name that its markers have."""
    return {
        "agent flags": _declared(ipamd.agent.options.AgentSettings),
        "controller flags": _declared(ipamd.controller.options.ControllerSettings),
        "installation flags": _declared(ipamd.installation.options.Settings),
        "ipamctl flags": _commands(ipamctl.parser()),
        "kubectl eni flags": _commands(kubectl_eni.parser()),
        "simulator flags": _table(("flag", "default", "meaning"), _parsed(simulator.parser())),
        "plugin variables": _table(("variable", "default", "meaning"), _plugin_variables()),
        "settings": _table(("key", "default", "meaning"), config_map.rows()),
        "chart values": _table(("value", "default", "meaning"), chart.rows()),
        "alerts": _table(("alert", "severity", "lasts for", "says"), alerts.rows()),
        "findings": _table(("code", "severity", "means", "breaks", "repaired", "next step"), _findings()),
        "packages": _table(("folder", "subject"), modules.packages()),
        "modules": modules.listing(),
    }


def _findings() -> Iterator[tuple[str, ...]]:
    for code in FindingCode:
        facts = code.facts
        mended = "by itself" if facts.mended else "no"
        yield f"`{code.text}`", facts.severity.value, facts.meaning, facts.breaks, mended, facts.next_step


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _declared(settings: type) -> str:
    groups: dict[str, list[Flag]] = {}
    for flag in declaration.declared_by(settings):
        groups.setdefault(flag.group, []).append(flag)
    return "\n".join(
        f"**{group[0].upper()}{group[1:]}**\n\n"
        + _table(("flag", "takes", "default", "meaning"), [_row(flag) for flag in flags])
        for group, flags in groups.items()
    )


def _row(flag: Flag) -> tuple[str, str, str, str]:
    name = f"`{flag.name}`"
    if flag.kind is kinds.TOGGLE:
        name += f", `--no-{flag.name.removeprefix('--')}`"
    more = f" ([more]({flag.see}))" if flag.see else ""
    return name, _takes(flag), _default(flag), flag.meaning + more


def _takes(flag: Flag) -> str:
    if flag.kind.choices:
        return ", ".join(f"`{choice}`" for choice in flag.kind.choices)
    placeholder = f"`{flag.kind.metavar}`" if flag.kind.metavar else ""
    return f"{placeholder} {flag.kind.allowed}".strip()


def _default(flag: Flag) -> str:
    if flag.is_boolean:
        return "on" if flag.default else "off"
    return flag.unset or (f"`{flag.default_text}`" if flag.default_text else "")


def _commands(parser: argparse.ArgumentParser) -> str:
    head = ("flag", "default", "meaning")
    sections = [f"**Of every command**, before or behind its name\n\n{_table(head, _parsed(parser))}"]
    for name, command in _subcommands(parser):
        rows = tuple(_parsed(command))
        table = f"\n{_table(head, rows)}" if rows else ""
        sections.append(f"**`{name}`**: {command.description}\n{table}")
    return "\n".join(sections)


def _subcommands(
    parser: argparse.ArgumentParser, prefix: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:  # noqa: SLF001 - argparse shows its actions in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            for name, command in action.choices.items():
                below = tuple(_subcommands(command, f"{prefix}{name} "))
                yield from below or ((prefix + name, command),)


def _parsed(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, str]]:
    for action in parser._actions:  # noqa: SLF001 - argparse shows its actions in no other way
        if isinstance(action, _UNTOLD) or (action.default == argparse.SUPPRESS and action.nargs != 0):
            continue
        names = action.option_strings or [str(action.metavar)]
        words = (action.help or "") % {"default": action.default}
        default = _DEFAULT.search(words)
        yield (
            ", ".join(f"`{name}`" for name in names),
            _quoted(default[1]) if default else "off" if action.nargs == 0 else "",
            _DEFAULT.sub("", words),
        )


def _quoted(default: str) -> str:
    return default if " " in default else f"`{default}`"


def _plugin_variables() -> Iterator[tuple[str, str, str]]:
    body = ast.parse(_PLUGIN_DEFAULTS.read_text(encoding="utf-8")).body
    for statement, documentation in itertools.pairwise(body):
        if not isinstance(statement, ast.Assign) or not isinstance(documentation, ast.Expr):
            continue
        (target,) = statement.targets
        value, meaning = ast.literal_eval(statement.value), ast.literal_eval(documentation.value)
        shown = value.decode() if isinstance(value, bytes) else f"{value:g}"
        yield f"`TKE_ENI_{ast.unparse(target)}`", f"`{shown}`", " ".join(meaning.split())
