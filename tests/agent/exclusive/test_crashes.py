"""An agent that is killed at any step of giving a Pod its ENI, or of taking it back, loses nothing."""

import contextlib

import grpc
import pytest

from ipamd.core import tags
from testbed.faults.points import Point, points_of
from testbed.faults.victim import Remote
from testbed.probes import SourceReporter, seen_source
from testbed.processes import ChildFailedError
from tests.agent.conftest import AgentBed
from tests.agent.exclusive.test_exclusive_pods import DIRECT, NODE_OPTIONS, extended, ip_of, links, put_away

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(600)]


class KilledBed(AgentBed):
    """A bed whose agent dies where it is told, and is started again as the DaemonSet does it."""

    def __init__(self, directory):
        super().__init__(directory)
        orders = self._run_directory / "orders"
        self.launcher = ("-m", "testbed.faults.victim", "--orders", str(orders), "--")
        self.victim = Remote(orders)
        self.count = 0

    def new_pod(self):
        self.count += 1
        return self.pod_and_sandbox(f"killed-{self.count}", annotations=DIRECT)

    def given(self):
        pod, sandbox = self.new_pod()
        code, result = self.call("add", sandbox)
        assert code == 0, result
        return pod, sandbox, result

    def address_of(self, sandbox):
        """Return the address that the ledger has for a Pod; each has one, from the first step on."""
        (entry,) = [entry for name, entry in self.pods().items() if name == sandbox.pod_name]
        return entry["privateIp"]

    def ended(self, pod, sandbox, ip):
        """Let the Pod go; nothing of it may be left, and its ENI is the node's again."""
        self.workloads.remove_pod(pod["metadata"]["name"])
        assert self.call("del", sandbox)[0] == 0
        self.runtime.remove_sandbox(sandbox)
        self.eventually(f"the ENI of {ip} is put away", lambda: put_away(self, ip))
        assert self.traces(ip) == []
        self.eventually(f"{ip} is free", lambda: ip not in str(self.pods()))

    def dies_in(self, verb, sandbox, point):
        """Have the agent die at a point of a request; start it again. Say if it came by."""
        self.victim.arm(point)
        try:
            self.call(verb, sandbox)
            self.victim.arm(None)
        except (grpc.RpcError, OSError):
            self.eventually("its death", lambda: self.agent.process.poll() is not None)
        else:
            return False
        self.revive()
        return True

    def revive(self):
        """Start the agent that has died."""
        self.stop(self.agent)
        # Not until all is well: a Pod that is half made is told as a problem.
        self.start_agent(options=self.options, launcher=self.launcher)
        self.eventually("an answer", lambda: self.socket.exists() and bool(self.status()))

    def steps_of(self, verb, sandbox):
        """Serve a request, and return the points of its effects."""
        self.victim.arm(None)
        code, _ = self.call(verb, sandbox)
        assert code == 0
        taken = [
            step for step in self.victim.taken() if step.partition(".")[0] in ("netlink", "nft", "store")
        ]
        return [point for point in points_of(taken) if point.phase == "after"]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with KilledBed(tmp_path_factory.mktemp("killed")) as bed:
        yield bed.begin(*NODE_OPTIONS, "--eni-max-warm-target=3")


def test_a_kill_at_any_step_of_add_is_mended_by_the_next_add(node):
    pod, sandbox = node.new_pod()
    points = node.steps_of("add", sandbox)
    node.ended(pod, sandbox, node.address_of(sandbox))
    assert {point.step.partition(".")[0] for point in points} == {"netlink", "nft", "store"}

    for point in points:
        pod, sandbox = node.new_pod()
        died = node.dies_in("add", sandbox, point)
        code, result = node.call("add", sandbox)
        assert code == 0, (point, died, result)
        assert node.call("check", sandbox, conf={"prevResult": result})[0] == 0, point
        assert set(links(sandbox.netns)) == {"lo", "eth0", "veth1"}, point
        with SourceReporter(sandbox.netns):
            assert seen_source(node.node.netns, ip_of(result)) == node.node.private_ip, point
        node.ended(pod, sandbox, ip_of(result))


def test_a_kill_at_any_step_of_add_that_nobody_repeats_leaks_nothing(node):
    pod, sandbox = node.new_pod()
    points = node.steps_of("add", sandbox)
    node.ended(pod, sandbox, node.address_of(sandbox))

    for point in points[::3]:
        pod, sandbox = node.new_pod()
        node.dies_in("add", sandbox, point)
        ip = node.address_of(sandbox)
        # The runtime destroys the namespace before DEL.
        node.runtime.remove_sandbox(sandbox)
        node.ended(pod, sandbox, ip)


def test_a_kill_at_any_step_of_del_is_mended_by_the_next_del(node):
    pod, sandbox, result = node.given()
    points = node.steps_of("del", sandbox)
    node.ended(pod, sandbox, ip_of(result))

    for point in points:
        pod, sandbox, result = node.given()
        node.dies_in("del", sandbox, point)
        node.ended(pod, sandbox, ip_of(result))
        node.eventually("it may be given out again", lambda: "cooling" not in uses(node))
    # As many as may be warm, and one for a Pod that came while the last one's was not free yet.
    assert len(extended(node)) <= 3 + 1 < len(points), (
        "an ENI was ordered in the place of one that was thought lost"
    )


def test_an_eni_whose_creation_was_cut_short_is_found_again(tmp_path):
    with KilledBed(tmp_path) as bed:
        bed.begin()
        bed.stop(bed.agent)
        bed.options = [*bed.options, *NODE_OPTIONS]
        usual = bed.launcher
        at = str(Point("cloud.CreateAndAttachNetworkInterface", "after", 1))
        bed.launcher = (*usual[:-1], "--at", at, "--")
        with contextlib.suppress(ChildFailedError):
            bed.start_again()
        bed.eventually("its death", lambda: bed.agent.process.poll() is not None)
        bed.stop(bed.agent)
        bed.launcher = usual
        bed.start_again()

        bed.eventually("the ENI is warm", lambda: len(extended(bed)) == 1)
        pod, sandbox, result = bed.given()
        assert ip_of(result) in extended(bed)
        bed.ended(pod, sandbox, ip_of(result))
        assert len(extended(bed)) <= 2


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("action", ["DetachNetworkInterface", "DeleteNetworkInterface"])
def test_an_eni_that_was_being_given_back_is_given_back_by_the_next_agent(tmp_path, action, phase):
    with KilledBed(tmp_path) as bed:
        bed.begin(*NODE_OPTIONS, "--eni-release-interval=1s", "--ip-cooldown=1s")
        pod, sandbox, _ = bed.given()
        bed.eventually("another one is warm", lambda: len(extended(bed)) == 2)
        bed.victim.arm(Point(f"cloud.{action}", phase, 1))
        bed.workloads.remove_pod(pod["metadata"]["name"])
        assert bed.call("del", sandbox)[0] == 0
        bed.runtime.remove_sandbox(sandbox)
        bed.eventually("its death", lambda: bed.agent.process.poll() is not None)
        bed.revive()

        bed.eventually("one is left", lambda: len(extended(bed)) == 1, seconds=60.0)
        bed.eventually("none is loose", lambda: not loose(bed))
        bed.eventually("the node knows just that", lambda: known(bed) == set(extended(bed)), seconds=60.0)


def uses(bed):
    """What the ENIs for single Pods are doing."""
    return [eni["use"] for eni in bed.ctl("enis")["enis"] if eni["exclusive"]]


def loose(bed):
    """Our ENIs that are attached to nothing, which nobody would ever find."""
    enis = bed.admin.get("/state")["cloud"]["enis"].values()
    return [eni for eni in enis if tags.EXCLUSIVE_NODE in eni["tags"] and not eni["instance_id"]]


def known(bed):
    """The addresses of the ENIs that the agent has for single Pods."""
    listed = {eni.eni_id: ip for ip, eni in extended(bed).items()}
    return {listed.get(eni["eniId"], eni["eniId"]) for eni in bed.ctl("enis")["enis"] if eni["exclusive"]}
