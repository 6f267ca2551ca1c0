"""Verbs of one sandbox, of sandboxes of one Pod, and of several Pods at once and in every order.

A runtime may call DEL while ADD is under way, ADD for a new sandbox before the DEL of the old one, and either
twice; an ADD may come when its namespace is gone, or with another namespace or interface than before; a DEL
after the operator has renamed the network; a list for GC may be older than an ADD. Whatever happens, the
kernel and the ledger tell the same, what is asked for one sandbox ends no other, and after the last DEL
nothing is left.
"""

import contextlib
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipamd.core import names
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Assigned
from ipamd.runtime import failpoints
from testbed.faults.catalogue import atoms
from tests.chaos.cluster import Cluster
from tests.chaos.pod_lives import Kind
from tests.chaos.sandboxes import Sandbox
from tests.chaos.surroundings import BOUND
from tests.testkit.eventually import comes_about

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

SANDBOXES = 4
"""Numbers 0 and 1 are of the first Pod, 2 and 3 of the second."""


ADDS = ("add", "add elsewhere")
"""Verbs that may make a sandbox the owner of an address."""


def unusual_call(verb, sandbox):
    """The verb of the plugin, and what a confused runtime or an operator has changed in the call."""
    return {
        "late add": ("add", {"CNI_NETNS": f"{sandbox.netns_path}-gone"}),
        "add elsewhere": ("add", {"CNI_NETNS": sandbox.other_path}),
        "add second": ("add", {"CNI_IFNAME": "net1"}),
        "del renamed": ("del", {"conf": {"name": "renamed"}}),
    }.get(verb, (verb, {}))


@dataclass(frozen=True)
class Done:
    """One verb that was called, and when."""

    verb: str
    sandbox: int
    listed: frozenset[int]
    code: int
    began: float
    ended: float


class Scene:
    """Two Pods with two sandboxes each, whose verbs may be called from any thread."""

    numbers = iter(range(10**6))

    def __init__(self, cluster, kind):
        self.cluster = cluster
        self.node = cluster.nodes[0]
        self.around = cluster.around
        self.pods = [
            self.around.create_pod(f"mixed-{next(Scene.numbers)}-x", self.node.name, kind) for _ in range(2)
        ]
        self.sandboxes = [Sandbox.of(self.pods[n // 2], self.node) for n in range(SANDBOXES)]
        self.results = {}

    def call(self, verb, number, listed=frozenset(), **options):
        began = time.monotonic()
        if verb == "gc":
            valid = [{"containerID": self.sandboxes[n].container_id, "ifname": "eth0"} for n in listed]
            code, answer = self.node.call("gc", conf={"cni.dev/valid-attachments": valid})
        else:
            sandbox = self.sandboxes[number]
            name, unusual = unusual_call(verb, sandbox)
            code, answer = self.node.call(name, sandbox, **unusual, **options)
        if verb in ADDS and code == 0:
            self.results[number] = answer
        return Done(verb, number, frozenset(listed), code, began, time.monotonic())

    def owners(self):
        """The numbers of the sandboxes that own an address."""
        keys = {
            f"{a.state.key.container_id}/{a.state.key.ifname}" for a in self.node.ledger.in_state(Assigned)
        }
        return {n for n, sandbox in enumerate(self.sandboxes) if f"{sandbox.container_id}/eth0" in keys}

    def links(self):
        ours = {
            names.host_veth(sandbox.container_id, ifname)
            for sandbox in self.sandboxes
            for ifname in ("eth0", "net1")
        }
        return ours & self.node.pods_in_kernel()[0]

    def check(self):
        """The ledger holds, and each owner's kernel is as its ADD has said."""
        assert ledger.violations(self.node.ledger) == []
        for number in self.owners():
            if number in self.results:
                conf = {"prevResult": self.results[number]}
                assert self.node.call("check", self.sandboxes[number], conf=conf) == (0, {})

    def end(self):
        """What a kubelet does in the end; nothing may be left."""
        for number, sandbox in enumerate(self.sandboxes):
            assert self.call("del", number, CNI_IFNAME="net1").code == 0
            assert self.call("del", number).code == 0
            sandbox.remove()
        for pod in self.pods:
            metadata = pod["metadata"]
            self.around.delete_pod(metadata["name"], now=True, uid=metadata["uid"])
        assert self.owners() == set()
        assert comes_about(lambda: not self.links(), 5.0)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        assert comes_about(lambda: len(cluster.nodes[0].ledger.available) >= 6, 10.0)
        yield cluster
        cluster.settle()
        assert cluster.verdicts.sentences() == []


@pytest.fixture
def scene(cluster):
    scene = Scene(cluster, Kind.PLAIN)
    yield scene
    scene.end()


@pytest.fixture
def with_eip(cluster):
    scene = Scene(cluster, Kind.EIP)
    yield scene
    scene.end()


NONE: frozenset[int] = frozenset()
verbs = st.sampled_from(
    ["add", "add", "add", "del", "del", "del renamed", "late add", "add elsewhere", "add second"]
)
calls = st.tuples(verbs, st.integers(0, SANDBOXES - 1), st.just(NONE))
collections_of_garbage = st.tuples(
    st.just("gc"), st.just(0), st.frozensets(st.integers(0, SANDBOXES - 1), max_size=SANDBOXES)
)
threads = st.lists(
    st.lists(st.one_of(calls, calls, calls, calls, collections_of_garbage), min_size=1, max_size=4),
    min_size=2,
    max_size=3,
)


def ends(call, number):
    """Whether a call may end a sandbox."""
    if call.verb == "gc":
        return number not in call.listed
    return call.verb in ("del", "del renamed") and call.sandbox == number


def disturbs(call, added, done):
    """Whether a call may have taken its address from a sandbox that was added.

    So does the end of that very sandbox, and a newer sandbox of its Pod: one whose ADD has succeeded, or was
    about to when its own end came.
    """
    if ends(call, added.sandbox):
        return True
    if call.verb not in ADDS or call.sandbox == added.sandbox or call.sandbox // 2 != added.sandbox // 2:
        return False
    return call.code == 0 or any(ends(other, call.sandbox) and other.ended > call.began for other in done)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=threads)
def test_whatever_order_the_verbs_come_in_kernel_and_ledger_agree(cluster, plan):
    scene = Scene(cluster, Kind.PLAIN)
    try:
        start = threading.Barrier(len(plan))

        def follow(steps):
            start.wait(10)
            return [scene.call(*step) for step in steps]

        with ThreadPoolExecutor(len(plan)) as pool:
            done = [call for calls in pool.map(follow, plan) for call in calls]

        scene.check()
        owners = scene.owners()
        for call in done:
            assert not (call.verb == "late add" and call.code == 0), f"{call}; {done}"
            if call.verb not in ADDS or call.code:
                continue
            later = [other for other in done if other.ended > call.began and other is not call]
            disturbed = any(disturbs(other, call, done) for other in later)
            assert disturbed or call.sandbox in owners, f"{call} lost its address; {done}"
        for call in done:
            if call.verb in ("del", "del renamed"):
                again = [o for o in done if o.verb in ADDS and o.sandbox == call.sandbox]
                if not any(o.ended > call.began for o in again):
                    assert call.sandbox not in owners, f"{call} left the address; {done}"
    finally:
        scene.end()


class Pause:
    """Holds the first thread that takes such a step, alone or with others, until it is let go."""

    def __init__(self, step, when, by):
        self._step = step
        self._when = when
        self._by = by
        self.reached = threading.Event()
        self.over = threading.Event()

    def before(self, step):
        self._hold(step, "before")

    def after(self, step, seconds, error):
        self._hold(step, "after")

    def _hold(self, step, when):
        if (
            when == self._when
            and (step == self._step or self._step in atoms(step))
            and self._by(threading.current_thread().name)
            and not self.reached.is_set()
        ):
            self.reached.set()
            self.over.wait(20)


@contextlib.contextmanager
def paused(step, when, *, by):
    pause = Pause(step, when, by)
    leave = failpoints.listen(pause)
    try:
        yield pause
    finally:
        pause.over.set()
        leave()


def a_verb(thread):
    return thread.startswith("rpc")


def the_repair(thread):
    return not a_verb(thread)


NODE_SIDE = "netlink.newlink+newroute+newneigh"
"""The datagram that leads an address to its link."""
STEPS_OF_AN_ADD = [
    ("store.commit.assigned", "before"),
    ("store.commit.assigned", "after"),
    ("netlink.newlink", "after"),
    (NODE_SIDE, "after"),
    ("nft.add.pods", "after"),
]


@pytest.mark.parametrize(("step", "when"), STEPS_OF_AN_ADD)
def test_nothing_is_assigned_after_a_del_that_came_in_any_step_of_the_add(scene, step, when):
    with ThreadPoolExecutor(2) as pool, paused(step, when, by=a_verb) as pause:
        add = pool.submit(scene.call, "add", 0)
        assert pause.reached.wait(5)
        delete = pool.submit(scene.call, "del", 0)
        # Lets the DEL come as far as it can while the ADD stands still.
        wait([delete], 0.3)
        pause.over.set()

        assert delete.result(10).code == 0
        assert scene.owners() == set()
        assert add.result(10).code == 1
    assert scene.owners() == set()
    assert comes_about(lambda: not scene.links(), 5.0)


def test_elements_do_not_come_back_when_a_pod_is_deleted_while_it_is_mended(scene):
    """The repair has seen that an element is gone, and adds it again in the very moment of the DEL."""
    assert scene.call("add", 0).code == 0
    ip = scene.results[0]["ips"][0]["address"].removesuffix("/32")
    argv = ["nft", "delete", "element", "ip", "tke_eni", "pods", f"{{ {ip} }}"]
    with (
        ThreadPoolExecutor(1) as pool,
        paused(NODE_SIDE, "after", by=the_repair) as before,
        paused("nft.add.pods", "after", by=the_repair) as added,
    ):
        scene.node.on_node(lambda: subprocess.run(argv, check=True))
        assert before.reached.wait(10)
        delete = pool.submit(scene.call, "del", 0)
        wait([delete], 1.0)
        before.over.set()
        assert added.reached.wait(5)

        too_late = delete.done() and ip in scene.node.pods_in_kernel()[1]
        added.over.set()

        assert not too_late
        assert delete.result(10).code == 0
    assert ip not in scene.node.pods_in_kernel()[1]


def test_sandbox_that_gets_an_address_while_it_is_cleaned_is_wired_all_the_same(scene):
    """The repair removes what is left of a free address, and in that moment the address is given."""
    ip = min(scene.node.ledger.available, key=lambda a: (a.state.since, a.ip)).ip
    chain = scene.node.on_node(a_pod_chain)
    argv = ["nft", "add", "element", "ip", "tke_eni", "pods", f"{{ {ip} : goto {chain} }}"]
    with ThreadPoolExecutor(1) as pool, paused("nft.delete.pods", "before", by=the_repair) as pause:
        scene.node.on_node(lambda: subprocess.run(argv, check=True))
        assert pause.reached.wait(10)
        add = pool.submit(scene.call, "add", 0)
        wait([add], 1.0)
        pause.over.set()
        assert add.result(10).code == 0

    assert scene.results[0]["ips"][0]["address"] == f"{ip}/32"
    scene.check()


def a_pod_chain():
    """The name of a chain that packets of Pods of some ENI go to."""
    argv = ["nft", "list", "table", "ip", "tke_eni"]
    listed = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return next(word for word in listed.split() if word.startswith("pod_0x"))


def test_late_add_of_a_sandbox_without_namespace_ends_no_other(with_eip):
    scene = with_eip
    assert scene.call("add", 0).code == 0
    [eip] = bound_at(scene, 0)

    for verb in ("late add", "add second"):
        assert scene.call(verb, 1).code == 1

    assert scene.owners() == {0}
    assert bound_at(scene, 0) == [eip]
    scene.check()


def test_sandbox_that_comes_with_another_namespace_or_interface_stays_as_it_is(scene):
    assert scene.call("add", 0).code == 0

    for verb in ("add elsewhere", "late add", "add second"):
        assert scene.call(verb, 0).code == 1

    assert scene.owners() == {0}
    scene.check()


def test_sandbox_ends_whatever_its_network_is_called_by_now(scene):
    assert scene.call("add", 0).code == 0

    assert scene.call("del renamed", 0).code == 0

    assert scene.owners() == set()


def test_add_and_del_of_one_sandbox_at_once_end_in_one_state(scene):
    for _ in range(20):
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(scene.call, verb, 0) for verb in ("add", "del")]
            assert calls[1].result().code == 0
        assert comes_about(lambda: (0 in scene.owners()) == bool(scene.links()), 5.0)
        scene.check()


def test_del_while_its_add_waits_for_an_eip_ends_the_wait(with_eip):
    scene = with_eip
    outage = scene.around.add_faults([{"kind": "timeout_before", "action": "*", "count": None}])
    with ThreadPoolExecutor(1) as pool:
        add = pool.submit(scene.call, "add", 0)
        assert comes_about(lambda: 0 in scene.owners(), 5.0)

        assert scene.call("del", 0).code == 0

        assert add.result(timeout=5.0).code == 1
    scene.around.remove_faults(outage)
    assert scene.owners() == set()


def test_new_sandbox_that_comes_before_the_del_of_the_old_keeps_address_and_eip(with_eip):
    scene = with_eip
    assert scene.call("add", 0).code == 0
    [eip] = bound_at(scene, 0)

    assert scene.call("add", 1).code == 0
    assert scene.call("del", 0).code == 0

    assert scene.results[1]["ips"] == scene.results[0]["ips"]
    assert bound_at(scene, 1) == [eip]
    scene.check()


def test_add_that_gives_up_while_the_bind_succeeds_leaves_the_eip_to_the_next_one(with_eip):
    """The deadline of the caller falls into each part of the bind in turn."""
    scene = with_eip
    for tenths in range(1, 8):
        scene.call("add", 0, timeout=0.5 + tenths / 10)
        scene.call("del", 0)

    assert comes_about(lambda: scene.call("add", 1).code == 0, 20.0)

    assert len(bound_at(scene, 1)) == 1
    pod = scene.pods[0]["metadata"]["name"]
    assert [e["AddressId"] for e in bound_at(scene, 1)] == [
        scene.around.claims()[pod]["status"]["address"]["id"]
    ]


def test_garbage_collection_spares_the_sandbox_whose_add_is_under_way(with_eip):
    scene = with_eip
    outage = scene.around.add_faults([{"kind": "timeout_before", "action": "*", "count": None}])
    with ThreadPoolExecutor(1) as pool:
        add = pool.submit(scene.call, "add", 0)
        assert comes_about(lambda: 0 in scene.owners(), 5.0)

        assert scene.call("gc", 0, listed=[]).code == 0

        assert scene.owners() == {0}
        scene.around.remove_faults(outage)
        assert add.result(timeout=20.0).code == 0 or comes_about(lambda: scene.call("add", 0).code == 0, 10.0)


def test_queued_del_of_a_sandbox_that_is_added_again_does_not_end_it(scene):
    assert scene.call("add", 0).code == 0
    scene.node.stop()
    assert scene.call("del", 0).code == 0
    [queued] = scene.node.pending.glob("*.del")
    content = queued.read_bytes()
    scene.node.start()
    assert scene.owners() == set()
    # As if it had failed then: it stays in the queue.
    queued.write_bytes(content)

    assert scene.call("add", 0).code == 0

    assert not queued.exists()
    scene.node.agent.sandboxes.pending_deletes.drain()
    assert scene.owners() == {0}
    scene.check()


def test_dels_of_before_a_reboot_free_nothing_of_after_it(scene):
    assert scene.call("add", 0).code == 0
    first = scene.results[0]["ips"]
    scene.node.kill()
    scene.sandboxes[0].remove()
    scene.node.reboot()
    scene.node.start()

    assert scene.call("add", 1).code == 0
    for _ in range(2):
        assert scene.call("del", 0).code == 0

    assert scene.results[1]["ips"] == first
    assert scene.owners() == {1}
    scene.check()


def bound_at(scene, number):
    """The EIPs that the cloud has at the address of a sandbox."""
    ip = scene.results[number]["ips"][0]["address"].removesuffix("/32")
    eips = scene.around.state()["eips"]
    return [e for e in eips if e["PrivateAddressIp"] == ip and e["AddressStatus"] in BOUND]
