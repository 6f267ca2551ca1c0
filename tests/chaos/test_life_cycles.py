"""Thousands of Pods come and go on two nodes while everything goes wrong: nobody loses, nothing is left.

A hypothesis state machine draws what happens next: Pods, successors, dying sandboxes, claims that a person
deletes, agents and controllers that are killed, nodes that are rebooted or lost, troubles of the cloud and of
the API server. Time is real
and threads are many, so a sequence cannot be played back exactly and is not shrunk: what it finds becomes a
test of its own, where the thing that was found lives.

`make faults` runs it with TKE_ENI_LIFE_CYCLES in the thousands, several at once with seeds of their own.
"""

import json
import os
import random
import time
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from ipamd.kube.resources import EIPCLAIMS, VPCIPCLAIMS, VPCIPS
from tests.chaos.cluster import Cluster
from tests.chaos.pod_lives import Kind
from tests.chaos.troubles import WEATHER, Troubles

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

WEIGHTS = {
    "pods_come": 36,
    "pods_go": 18,
    "successor_comes": 12,
    "trouble": 12,
    "time_passes": 6,
    "sandboxes_die": 6,
    "agent_ends": 5,
    "claim_goes": 4,
    "controller_ends": 3,
    "node_reboots": 2,
    "node_is_lost": 1,
}
"""How often what happens; the names are methods of Cluster."""

WANTED = int(os.environ.get("TKE_ENI_LIFE_CYCLES", "60"))
ENDS = time.monotonic() + float(os.environ.get("TKE_ENI_SECONDS", "inf"))
"""When nothing happens any more, however many Pods have come and gone."""
LONG_RUN = WANTED > 200
"""Whether there is time for a trouble that outlasts the back-offs."""
OUTLASTING = 40.0
"""Seconds: a pause that doubles from 1 s is at its cap of 30 s then."""


def event(number, step):
    """Return what a number stands for at a step: the name of an event and its arguments."""
    draw = random.Random(f"{number} {step}")
    [name] = draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
    node, pick, rarely = draw.randrange(2), draw.randrange(1000), draw.random() < 0.2
    arguments = {
        "pods_come": (draw.choice([Kind.PLAIN, *Kind]), node, draw.randint(2, 10)),
        "pods_go": (pick, draw.randint(3, 16), rarely),
        "successor_comes": (pick, node, rarely),
        "trouble": (draw.choice(list(Troubles)), draw.choice([0.5, 1.0, 3.0])),
        "time_passes": (draw.choice([0.2, 0.5, 1.0]),),
        "sandboxes_die": (pick, draw.randint(1, 5)),
        # A daemon that is asked to end takes its time, and there is much to do.
        "agent_ends": (node, not rarely),
        "claim_goes": (pick, draw.choice([VPCIPCLAIMS, VPCIPCLAIMS, EIPCLAIMS, VPCIPS])),
        "controller_ends": (not rarely,),
        "node_reboots": (node,),
        "node_is_lost": (node,),
    }
    if LONG_RUN and name == "trouble" and draw.random() < 0.02:
        arguments["trouble"] = (arguments["trouble"][0], OUTLASTING)
    return name, *arguments[name]


class Lives(RuleBasedStateMachine):
    """One rule for all events: hypothesis leaves whole rules out of a run, and runs are few and long here."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster = cluster
        self._step = 0

    @initialize(bad=st.booleans())
    def weather(self, bad):
        self.cluster.weather(WEATHER if bad else WEATHER[:1])

    @rule(number=st.integers(0, 2**32 - 1))
    def happens(self, number):
        self._step += 1
        if time.monotonic() >= ENDS:
            return
        # Evenly spread: left to itself hypothesis prefers what is short and simple, and little would happen.
        name, *arguments = event(number, self._step)
        getattr(self.cluster, name)(*arguments)

    def teardown(self):
        self.cluster.settle()
        assert self.cluster.verdicts.sentences() == []


def test_nothing_leaks_is_stolen_doubled_or_left_unmended(tmp_path):
    number = int(os.environ.get("TKE_ENI_SEED", "1"))
    with Cluster(tmp_path) as cluster:
        try:
            while cluster.ended < WANTED and time.monotonic() < ENDS:
                run(cluster, number, steps=120 if LONG_RUN else 25)
                number += 1
        finally:
            report(cluster)


def run(cluster, number, steps):
    @hypothesis.seed(number)
    class Here(Lives):
        def __init__(self):
            super().__init__(cluster)

    once = settings(
        max_examples=2,
        stateful_step_count=steps,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Here, settings=once)


def report(cluster):
    """Leave the counts for `make faults`."""
    path = os.environ.get("TKE_ENI_FAULTS_REPORT")
    if path:
        injected = cluster.around.faults_injected()
        counts = {"life_cycles": cluster.ended, "faults_injected": injected.total()}
        found = {"faults_by_kind": dict(injected), "findings": cluster.verdicts.sentences()}
        Path(path).write_text(json.dumps(counts | cluster.verdicts.counts() | found, indent=2))
