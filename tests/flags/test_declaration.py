"""Flags are declared once, as fields of the settings: the rest follows from that."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import pytest

from cni_plugin import defaults as plugin
from ipamd.agent import options as agent
from ipamd.controller import options as controller
from ipamd.core import places
from ipamd.core.eip.orphans import SweepTerms
from ipamd.core.errors import InvalidInputError
from ipamd.core.ledger.holds import HoldTimes
from ipamd.core.pool import Targets
from ipamd.flags import declaration, kinds
from ipamd.flags.declaration import composed, flag, part
from ipamd.installation import options as installation
from ipamd.kube.leases import LeaseTiming

SETTINGS = [agent.AgentSettings, controller.ControllerSettings, installation.Settings]
FLAGS = [each for settings in SETTINGS for each in declaration.declared_by(settings)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    first: float = 2.0
    last: float = 5.0

    def __post_init__(self):
        if self.first > self.last:
            raise ValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    name: str = flag("one", "--name", kinds.TEXT, "who", unset="$NAME")
    pause: float = flag("two", "--pause", kinds.duration(least=1, most=60), "between", default=90.0 / 3)
    span: Span = composed(
        Span,
        advice="give --first <= --last",
        first=part("one", "--first", kinds.duration(), "begin"),
        last=part("one", "--last", kinds.duration(), "end"),
    )
    loud: bool = flag("two", "--loud", kinds.TOGGLE, "100% of it", default=True)
    given: int


def parsed(*words, **more):
    parser = argparse.ArgumentParser()
    declaration.add_arguments(parser, Sample)
    return declaration.read(Sample, parser.parse_args(words), given=7, **more)


def test_what_is_not_given_has_the_default_of_its_declaration_or_of_what_it_composes():
    assert parsed(fallbacks={"--name": "me"}) == Sample(name="me", given=7)
    assert Sample(name="me", given=7) == Sample(name="me", pause=30.0, span=Span(), loud=True, given=7)


def test_what_is_given_wins():
    chosen = parsed("--name=you", "--pause=45s", "--last=1m", "--no-loud", fallbacks={"--name": "me"})

    assert chosen == Sample(name="you", pause=45.0, span=Span(last=60.0), loud=False, given=7)


def test_a_wrong_value_is_refused_with_the_flag_and_what_is_allowed():
    with pytest.raises(InvalidInputError, match="--pause is 2m; allowed are 1s to 1m"):
        parsed("--pause=2m")


def test_values_that_do_not_fit_together_are_refused_with_all_their_flags():
    with pytest.raises(
        InvalidInputError, match="--first, --last do not fit together; give --first <= --last"
    ):
        parsed("--first=6s")


def test_the_help_says_default_and_bounds_and_keeps_percent_signs():
    parser = argparse.ArgumentParser()
    declaration.add_arguments(parser, Sample)
    words = " ".join(parser.format_help().split())

    assert "--pause DURATION between; 1s to 1m (default: 30s)" in words
    assert "--name NAME who (default: $NAME)" in words
    assert "100% of it" in words


@pytest.mark.parametrize("declared", FLAGS, ids=lambda each: each.name)
def test_the_default_that_is_shown_is_the_one_that_counts(declared):
    if declared.is_boolean or not declared.default_text:
        return
    assert declared.kind.read(declared.name, declared.default_text) == declared.default


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_flag_has_a_name_of_its_own_and_a_meaning(settings):
    flags = list(declaration.declared_by(settings))

    assert len({each.name for each in flags}) == len(flags)
    assert all(each.meaning for each in flags)


def test_the_daemons_use_the_defaults_that_stand_with_the_values():
    of_agent = agent.AgentSettings(node_name="a", cluster_id="c")
    of_controller = controller.ControllerSettings(cluster_id="c", lease_namespace="n", identity="i")

    assert (of_agent.targets, of_agent.holds) == (Targets(), HoldTimes())
    assert (of_controller.sweep, of_controller.lease_timing) == (SweepTerms(), LeaseTiming())


def test_the_plugin_looks_for_the_agent_where_it_is_unless_told_otherwise():
    assert (plugin.SOCKET.decode(), plugin.PENDING_DELETES.decode()) == (
        places.SOCKET,
        places.PENDING_DELETES,
    )


def test_the_plugin_waits_longer_than_the_agent_takes():
    assert agent.AgentSettings(node_name="a", cluster_id="c").add_timeout < plugin.TIMEOUT


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (kinds.whole(least=1), "12", 12),
        (kinds.RATE, "0.5", 0.5),
        (kinds.PATH, "/a", Path("/a")),
        (kinds.OPTIONAL_PATH, "", None),
        (kinds.ADDRESS, "[::1]:80", ("::1", 80)),
        (kinds.CIDRS, "10.0.0.0/8, 10.1.0.0/16,", ("10.0.0.0/8", "10.1.0.0/16")),
    ],
)
def test_kinds_read_what_they_take(kind, text, value):
    assert kind.read("--x", text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kinds.whole(least=1), "0"),
        (kinds.whole(), "many"),
        (kinds.RATE, "nan"),
        (kinds.RATE, "inf"),
        (kinds.RATE, "-1"),
        (kinds.RATE, "fast"),
        (kinds.PATH, "a"),
        (kinds.CIDRS, "10.0.0.1/8"),
    ],
)
def test_kinds_refuse_the_rest_with_the_flag(kind, text):
    with pytest.raises(InvalidInputError, match="--x"):
        kind.read("--x", text)
