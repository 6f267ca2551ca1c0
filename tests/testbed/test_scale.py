"""`make scale`: what it measures is named, aimed at and told; its cluster is one that the product knows."""

import argparse
import re
from collections import Counter
from pathlib import Path

import pytest

from ipamd.agent import options as agent_options
from ipamd.agent.eips import reconciler
from ipamd.cloud import endpoints
from ipamd.cloud.credentials import Credential, StaticCredentials
from ipamd.cloud.tencent import TencentCloud
from ipamd.controller import options as controller_options
from ipamd.core import tags
from ipamd.core.annotations.eip import wants_eip
from ipamd.core.claim import eipclaim, status
from ipamd.core.kubernetes import pods
from ipamd.core.model import EipStatus
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.resources import EIPCLAIMS, PODS
from testbed.scale import aims, load, report
from testbed.scale.agents import DepartingAgents
from testbed.scale.fleet import Fleet
from testbed.scale.surroundings import Size, Surroundings
from testbed.scale.virtual import controller, neighbours, rest, rollout
from testbed.scale.virtual.account import Account, Caller
from testbed.scale.virtual.timeline import Signal, Timeline

KEYS = {
    "ready_s",
    "controller_rss_mib",
    "claim_to_eip_p50_s",
    "claim_to_eip_p99_s",
    "release_p99_s",
    "describe_per_eip",
    "kube_requests_per_s",
    "mass_rollout_s",
    "first_wall",
}
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "scale.md"


class TestFigures:
    """Pure."""

    def test_exactly_these_are_written_and_each_has_a_value(self):
        fleet = Fleet.measure(20)
        real = dict.fromkeys(sorted(KEYS - {"mass_rollout_s", "first_wall"}), 1.0)

        figures = report.figures(real, [fleet])

        assert set(figures) == KEYS
        assert figures["mass_rollout_s"] == pytest.approx(fleet.rollout.seconds, abs=0.001)
        assert figures["first_wall"].startswith("AllocateAddresses: 10 orders a second")

    def test_a_figure_above_its_aim_is_missed_and_one_without_an_aim_never(self):
        figures = {**dict.fromkeys(KEYS, 1e6), "first_wall": "x", "ready_s": 10.0}

        assert aims.missed(figures) == ["controller_rss_mib", "claim_to_eip_p99_s", "describe_per_eip"]
        assert [row[-1] for row in aims.rows(figures)] == ["✓", "✗", "", "✗", "", "✗", "", "", ""]

    def test_the_aim_for_new_pods_is_twice_what_the_account_allows_at_best(self):
        assert next(f for f in aims.FIGURES if f.key == "claim_to_eip_p99_s").most == 8.0

    def test_a_quantile_is_a_value_that_was_measured(self):
        values = [float(number) for number in range(1, 101)]

        assert aims.quantile(values, 0.5) == 51.0
        assert aims.quantile(values, 0.99) == 100.0
        assert aims.quantile([3.0], 0.99) == 3.0
        with pytest.raises(ValueError, match="no values"):
            aims.quantile([], 0.5)

    def test_the_document_tells_of_every_figure_with_its_aim_and_of_all_agents(self):
        lines = [re.sub(r"\s+", " ", line) for line in DOCUMENT.read_text().splitlines()]

        for figure in aims.FIGURES:
            (line,) = [line for line in lines if line.startswith(f"| `{figure.key}` |")]
            assert f"| {figure.meaning} |" in line
            assert line.endswith(f"| {figure.aim} |" if figure.aim else "| |")
        for row in report.FLEET_ROWS:
            assert any(line.startswith(f"| {row.meaning} |") for line in lines), row.meaning


class TestDefaults:
    """What stands in virtual time has to be what the daemons have."""

    def test_of_the_controller(self):
        parser = argparse.ArgumentParser()
        controller_options.add_arguments(parser)
        default = parser.parse_args([])

        said = (int(default.workers), float(default.kube_client_qps), int(default.kube_client_burst))
        assert said == (controller.WORKERS, controller.KUBE_RATE, controller.KUBE_BURST)

    def test_of_the_agent(self):
        parser = argparse.ArgumentParser()
        agent_options.add_arguments(parser)

        assert parser.parse_args([]).cloud_check_interval == f"{rest.LOOK_INTERVAL:.0f}s"
        sources = [
            path.read_text()
            for path in (ROOT / "ipamd" / "agent").rglob("*.py")
            if path.name != "node_objects.py"  # its watches are those of the classes that derive from it
        ]
        watch = re.compile(r"= (ObjectCache|OptionalWatch)\(|\(NodeObjects\[")
        assert sum(len(watch.findall(text)) for text in sources) == rest.WATCHES


class TestVirtualTime:
    """No second of it passes."""

    def test_work_goes_on_when_it_is_due_and_when_what_it_waits_for_happens(self):
        timeline, told = Timeline(), []
        happens = Signal(timeline)

        def waits():
            yield happens
            told.append(("waited", timeline.now))

        def works():
            yield 2.0
            told.append(("worked", timeline.now))
            happens.set()
            yield 1.0
            told.append(("ended", timeline.now))

        timeline.start(waits())
        timeline.start(works(), after=1.0)
        timeline.run()

        assert told == [("worked", 3.0), ("waited", 3.0), ("ended", 4.0)]

    def test_who_waits_for_what_has_happened_goes_on_at_once_and_time_ends_when_told(self):
        timeline, told = Timeline(), []
        happened = Signal(timeline)
        happened.set()

        def waits():
            yield happened
            told.append(timeline.now)
            yield 100.0
            told.append(timeline.now)

        timeline.start(waits())
        timeline.run(until=50.0)

        assert told == [0.0]

    def test_the_account_admits_no_more_than_its_rate_and_every_caller_in_the_end(self):
        timeline = Timeline()
        account, done = Account(timeline), []

        def calls(caller):
            carried_out = yield from caller.call("AssociateAddress", 60.0)
            done.append((carried_out, timeline.now))

        for _ in range(100):
            timeline.start(calls(Caller(account)))
        timeline.run()

        assert account.asked == Counter(AssociateAddress=100)
        assert all(carried_out for carried_out, _ in done)
        assert max(Counter(int(at - 0.03) for _, at in done).values()) <= 10
        assert max(at for _, at in done) < 60.0

    def test_a_call_is_given_up_when_its_time_is_over(self):
        timeline = Timeline()
        account, outcomes = Account(timeline), []

        def calls(caller):
            outcomes.append((yield from caller.call("AssociateAddress", 0.5)))

        for _ in range(40):
            timeline.start(calls(Caller(account)))
        timeline.run()

        assert Counter(outcomes) == Counter({True: 10, False: 30})


class TestFleets:
    """Many agents at once."""

    def test_in_a_rollout_every_pod_gets_its_address_and_every_claim_one_eip(self):
        nodes = 30
        rolled_out = rollout.roll_out(nodes)

        assert rolled_out.asked["AllocateAddresses"] == nodes * rollout.EIPS
        assert len(rolled_out.bound) == nodes * rollout.EIPS
        assert rolled_out.asked["AssociateAddress"] == nodes * rollout.EIPS
        assert rolled_out.asked["CreateAndAttachNetworkInterface"] >= nodes
        assert rolled_out.seconds >= max(rolled_out.provisioned) >= (nodes * rollout.EIPS - 20) / 10

    def test_agents_that_ask_too_much_together_look_less_often_and_none_is_forgotten(self):
        few, many = rest.look(500), rest.look(4000)

        assert few.refused_per_s == 0
        assert few.longest <= rest.LOOK_INTERVAL + 1
        assert many.looks_per_s <= 100
        assert many.longest <= 600

    def test_a_busy_node_binds_as_many_at_once_as_an_agent(self):
        assert neighbours.WORKERS == reconciler.WORKERS

    def test_a_node_that_binds_without_end_does_not_starve_the_others(self):
        alone, crowded = neighbours.binds(busy=0), neighbours.binds(busy=1)

        assert len(crowded) == len(alone) == neighbours.QUIET_NODES
        assert aims.quantile(crowded, 0.99) <= 1.1 * aims.quantile(alone, 0.99)
        # Who comes in the very second in which the busy node binds all that it saved is refused once.
        assert max(crowded) <= max(alone) + 1.0


class TestCluster:
    """The load, as the product sees it."""

    @pytest.fixture
    def around(self):
        with Surroundings(Size(nodes=3, pods=12, eips=5)) as around:
            around.fill()
            yield around

    @pytest.fixture
    def client(self, around):
        client = KubeClient(Connection(server=around.kube_url))
        yield client
        client.close()

    @pytest.fixture
    def cloud(self, around):
        keys = StaticCredentials(Credential(secret_id="AKIDdemo", secret_key="demo-secret-key"))
        with TencentCloud(
            region="ap-guangzhou", credentials=keys, endpoints=endpoints.parse(around.cloud_url)
        ) as cloud:
            yield cloud

    def test_pods_claims_and_eips_fit_together(self, around, client, cloud):
        views = [pods.view(obj) for obj in client.list(PODS).items]
        claims = [eipclaim.read(obj) for obj in client.list(EIPCLAIMS).items]
        eips = {eip.eip_id: eip for eip in cloud.describe_eips(tags=tags.of_cluster(load.CLUSTER_ID))}

        assert len(views) == 12
        assert {view.ref.name for view in views if wants_eip(view)} == {claim.name for claim in claims}
        assert len(claims) == len(eips) == 5
        for claim in claims:
            eip = eips[claim.address.eip_id]
            assert status.phase_of(claim) is eipclaim.Phase.BOUND
            assert tags.created_for(eip.tags, eip.name, load.CLUSTER_ID, claim.uid)
            assert (eip.status, eip.private_ip) == (EipStatus.BIND, claim.binding.private_ip)

    def test_the_agents_of_pods_that_go_unbind_and_say_so(self, around, client, cloud):
        name, _ = around.resident(0)
        agents = DepartingAgents(around, [name])
        agents.start()

        client.delete(EIPCLAIMS, name, load.NAMESPACE)
        agents.wait()

        claim = eipclaim.read(client.get(EIPCLAIMS, name, load.NAMESPACE))
        assert claim.binding is None
        assert cloud.describe_eip(claim.address.eip_id).status is EipStatus.UNBIND
        assert agents.calls["DisassociateAddress"] == 1
