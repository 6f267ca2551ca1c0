"""Daemons are killed in the middle of their work; the bounded part of `make faults`."""

import pytest

from testbed.bed import PLUGIN
from testbed.faults import crashes
from testbed.faults.change_scenarios import ChargeTypeChanged, EipChanged
from testbed.faults.crashing import Outcome, Performance, Trial
from testbed.faults.fixed_scenarios import FixedLife
from testbed.faults.kubelet import Retry
from testbed.faults.node_scenarios import Configured
from testbed.faults.pod_scenarios import Add, AddWithEip, DeleteWithEip, NewSandbox, Retained
from testbed.faults.points import parse
from testbed.faults.pool_scenarios import PoolLife
from testbed.faults.scenario import Scenario
from testbed.faults.stage import AGENT, CONTROLLER
from testbed.faults.start_scenarios import AgentStart, ControllerStart, FirstStart

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(300)]

BAD_MOMENTS = [
    # An EIP or a link exists, and nobody but the dead process knows of it.
    (Add, AGENT, "netlink.newlink:after:1", Retry.GONE),
    (Add, AGENT, "store.commit.assigned:after:1", Retry.DELETED),
    (AddWithEip, AGENT, "cloud.AssociateAddress:after:1", Retry.NEW_SANDBOX),
    (AddWithEip, AGENT, "cloud.AssociateAddress:before:1", Retry.SAME_SANDBOX),
    (AddWithEip, CONTROLLER, "cloud.AllocateAddresses:after:1", Retry.SAME_SANDBOX),
    (AddWithEip, CONTROLLER, "cloud.AllocateAddresses:before:1", Retry.SAME_SANDBOX),
    (DeleteWithEip, AGENT, "cloud.DisassociateAddress:after:1", Retry.NEW_SANDBOX),
    (DeleteWithEip, CONTROLLER, "cloud.ReleaseAddresses:before:1", Retry.NEW_SANDBOX),
    (NewSandbox, AGENT, "netlink.dellink:after:1", Retry.NEW_SANDBOX),
    (Retained, CONTROLLER, "kube.patch.eipclaims.status:before:1", Retry.NEW_SANDBOX),
    (ControllerStart, CONTROLLER, "kube.create.eipclaims:after:1", Retry.NEW_SANDBOX),
    (PoolLife, CONTROLLER, "cloud.AllocateAddresses:after:1", Retry.NEW_SANDBOX),
    (PoolLife, CONTROLLER, "cloud.ReleaseAddresses:after:1", Retry.NEW_SANDBOX),
    (EipChanged, CONTROLLER, "cloud.ModifyAddressesBandwidth:after:1", Retry.NEW_SANDBOX),
    (EipChanged, CONTROLLER, "cloud.MigrateBandwidthPackageResources:after:1", Retry.NEW_SANDBOX),
    (ChargeTypeChanged, CONTROLLER, "cloud.ModifyAddressInternetChargeType:after:1", Retry.NEW_SANDBOX),
    # A private address is reserved, or at an ENI, and nobody but the dead process knows of it.
    (FixedLife, AGENT, "cloud.AssignPrivateIpAddresses:after:1", Retry.NEW_SANDBOX),
    (FixedLife, AGENT, "store.commit.held:after:1", Retry.GONE),
    (FixedLife, AGENT, "cloud.UnassignPrivateIpAddresses:after:1", Retry.SAME_SANDBOX),
    (FixedLife, CONTROLLER, "cloud.CreateReserveIpAddresses:after:1", Retry.NEW_SANDBOX),
    (FixedLife, CONTROLLER, "kube.create.vpcips:after:1", Retry.SAME_SANDBOX),
    (FixedLife, CONTROLLER, "cloud.DeleteReserveIpAddresses:after:1", Retry.NEW_SANDBOX),
    # Once failed: the annotations of a Pod were never written when the claim said Bound already.
    (AddWithEip, AGENT, "kube.patch.pods:before:1", Retry.NEW_SANDBOX),
    (AddWithEip, AGENT, "kube.patch.eipclaims.status:after:2", Retry.NEW_SANDBOX),
    # Once failed: a route that was gone at the start was mended only when its Pod was ten seconds old.
    (AgentStart, AGENT, "nft.write_table:after:1", Retry.NEW_SANDBOX),
    # ENIs with old and new security groups, a Node that is told and an object that does not say so yet.
    (Configured, AGENT, "cloud.AssociateNetworkInterfaceSecurityGroups:after:1", Retry.NEW_SANDBOX),
    (Configured, AGENT, "cloud.DisassociateNetworkInterfaceSecurityGroups:before:1", Retry.NEW_SANDBOX),
    (Configured, CONTROLLER, "kube.patch.nodes:after:1", Retry.NEW_SANDBOX),
    (Configured, CONTROLLER, "kube.patch.nodeeniconfigs.status:before:1", Retry.NEW_SANDBOX),
]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    if not PLUGIN.exists():
        pytest.fail(f"{PLUGIN} is missing: run `make shim`")
    with Performance(tmp_path_factory.mktemp("crashes")) as node:
        node.open()
        yield node


@pytest.mark.parametrize(
    ("scenario", "daemon", "point", "retry"),
    [
        pytest.param(*moment, id=f"{moment[0].__name__}-{moment[1]}-{moment[2]}-{moment[3].name}")
        for moment in BAD_MOMENTS
    ],
)
def test_nothing_is_lost_when_a_daemon_is_killed_at_a_bad_moment(node, scenario, daemon, point, retry):
    trial = Trial(scenario=scenario.name, daemon=daemon, point=parse(point), retry=retry)

    node.attempt(scenario(), trial)

    assert [str(violation) for violation in trial.violations] == []
    assert trial.outcome in (Outcome.CONVERGED, Outcome.LATER), "the scenario does not come by this point"


def test_an_eni_whose_creation_was_cut_short_is_found_again(tmp_path):
    point = parse("cloud.CreateAndAttachNetworkInterface:after:1")
    trial = Trial(scenario=FirstStart.name, daemon=AGENT, point=point, retry=Retry.NEW_SANDBOX)

    with Performance(tmp_path) as node:
        node.attempt_start(trial)

    assert [str(violation) for violation in trial.violations] == []
    assert trial.outcome is Outcome.CONVERGED


class Unable(Scenario):
    """One that fails before anything is killed."""

    name = "unable"

    def prepare(self, scene):
        """Nothing."""

    def act(self, scene):
        raise RuntimeError("the kubelet is away")


class UnableAtFirst(Unable):
    name = "unable at first"
    needs_new_node = True
    victims = ("nobody",)


def test_a_scenario_that_fails_without_a_kill_is_told_and_the_others_have_their_turn(tmp_path):
    found = crashes.run(tmp_path, [UnableAtFirst, Unable, Add], choose=lambda points: (), say=[].append)

    assert [text.partition(":")[0] for text in found.unrecorded] == [
        "scenario unable at first failed without a kill",
        "scenario unable failed without a kill",
    ]
    assert found.unrecorded[1].endswith("RuntimeError: the kubelet is away")
    assert "netlink.newlink" in found.exercised


def test_every_effect_of_the_product_is_in_some_scenario(tmp_path):
    assert crashes.all_points(tmp_path, jobs=2, points=None).complaints() == []
