"""No thread of a daemon ends unseen: the kit knows each, and its defects are survived or end the process.

The daemons run as processes in a simulated region, with a defect put into each of their loops by its
failpoint. Who adds a loop names it here; a thread that is not made by the kit is found by its being there.
"""

import ast
import json
import re
import time
from pathlib import Path

import pytest

import ipamd
from testbed.chain import PLUGINS
from tests.agent.conftest import AgentBed
from tests.controller.process import free_address

LAUNCHER = Path(__file__).with_name("defective_daemon.py")
DEFECTS = 2

AGENT = {
    "ask-configmaps",
    "ask-servicecidrs",
    "ask-vpcipclaims",
    "attach",
    "attach-worker",
    "bind",
    "bind-worker",
    "cni-conf",
    "eip-watch",
    "events",
    "exclusive-pool",
    "facts",
    "http-health",
    "http-metrics",
    "http-status",
    "kernel-listening",
    "kernel-upkeep",
    "link-removal",
    "node-condition",
    "node-resources",
    "outside-upkeep",
    "pool",
    "pool-worker",
    "rpc-cni",
    "rpc-operator",
    "rpc-socket",
    "security-groups",
    "watch-configmaps",
    "watch-eipclaims",
    "watch-nodes",
    "watch-pods",
    "watch-servicecidrs",
    "watch-vpcipclaims",
}
CONTROLLER = {
    "account-type",
    "admission",
    "admission-certificate",
    "ask-eippools",
    "ask-nodeeniconfigs",
    "ask-vpcipclaims",
    "ask-vpcips",
    "egress",
    "eip-pools",
    "eip-quota",
    "election",
    "events",
    "http-health",
    "http-metrics",
    "http-status",
    "ip-masq-agent",
    "node-conditions",
    "node-eni-configs",
    "node-taints",
    "resync",
    "sweep",
    "vpc-ip-eni-sweep",
    "vpc-ip-resync",
    "vpc-ip-sweep",
    "vpc-ips",
    "watch-configmaps",
    "watch-eipclaims",
    "watch-eippools",
    "watch-nodeeniconfigs",
    "watch-nodes",
    "watch-pods",
    "watch-vpcipclaims",
    "watch-vpcips",
    "worker",
}
ONE_REQUEST = re.compile(r"Thread-\d+ \(process_request_thread\)|admission-call|pod-netns")
"""Threads of one request each, whose end its asker sees."""
NOT_OURS = re.compile(r"MainThread")
"""Its end is the process's."""

THREADS_MADE_ELSEWHERE = {
    "agent/findings/inspection.py": "of one `ipamctl check`, which waits for them and gets what they raise",
    "agent/findings/outsides.py": "likewise",
    "controller/admission/server.py": "one for each connection; what it raises is logged and ends that",
    "runtime/service.py": "for the stop, which waits for them and gets what they raise",
    "ctl/connectivity.py": "ipamctl is no daemon; what they raise is the leg's",
    "ctl/eip_release.py": "ipamctl is no daemon; what they raise is the command's",
    "ctl/eni_cleanup.py": "likewise",
    "ctl/kubectl/bundle.py": "likewise",
    "ctl/kubectl/relay.py": "likewise",
    "net/netns.py": "one that enters a Pod's namespace, while its caller waits and gets what it raises",
    "runtime/task.py": "the kit",
}


@pytest.fixture
def bed(tmp_path):
    with AgentBed(tmp_path) as bed:
        yield bed


def report_file(bed):
    return bed.directory / "report.json"


def defective(bed, names="*"):
    return [str(LAUNCHER), str(report_file(bed)), str(DEFECTS), names]


def report(bed):
    return json.loads(report_file(bed).read_text()) if report_file(bed).exists() else {}


def strangers(found):
    """Threads that nobody would miss."""
    return [
        name for name in found["threads"] if not ONE_REQUEST.fullmatch(name) and not NOT_OURS.fullmatch(name)
    ]


def wait_until_all_went_on(bed, names):
    """Wait until each of these had its defects and has begun other work since."""
    end = time.monotonic() + 60
    while stuck := {name for name in names if not went_on(report(bed), name)}:
        assert time.monotonic() < end, f"these have not gone on: {stuck}; {report(bed)}"
        time.sleep(0.1)


def went_on(found, name):
    return found.get("defects", {}).get(name, 0) == DEFECTS and found["begun"].get(name, 0) > DEFECTS


@pytest.mark.netns
@pytest.mark.scenario
def test_every_loop_of_an_agent_survives_defects_and_the_node_works(bed, tmp_path):
    bed.launcher = defective(bed)
    bed.begin(
        "--direct-eni",
        "--health-address=127.0.0.1:61680",
        "--metrics-address=127.0.0.1:61681",
        "--status-address=127.0.0.1:61682",
        f"--cni-conf={tmp_path / 'net.d/10-tke-eni.conflist'}",
        f"--cni-bin-dir={PLUGINS}",
    )
    _, sandbox, eip = bed.pod_with_eip("web-0")
    bed.eventually("a Pod", lambda: bed.call("add", sandbox)[0] == 0, seconds=40)
    assert bed.eip(eip.eip_id).bound
    assert bed.call("del", sandbox)[0] == 0

    wait_until_all_went_on(bed, AGENT)
    found = report(bed)
    assert set(found["begun"]) == AGENT
    assert strangers(found) == []
    assert set(found["policies"].values()) == {"Survive"}


@pytest.mark.netns
@pytest.mark.scenario
def test_every_loop_of_a_controller_survives_defects_but_the_election(bed):
    bed.begin_region()
    start_controller(bed)
    wait_until_all_went_on(bed, CONTROLLER - {"election"})

    found = report(bed)
    assert set(found["begun"]) == CONTROLLER
    assert strangers(found) == []
    assert {name for name, policy in found["policies"].items() if policy != "Survive"} == {"election"}
    pod, _ = bed.pod_and_sandbox("web-0", annotations={"eip-attributes": ""}, eip=True)
    bed.eventually("its claim", lambda: bed.read_claim(pod["metadata"]["name"]) is not None, seconds=20)


@pytest.mark.netns
@pytest.mark.scenario
def test_a_controller_whose_election_has_a_defect_ends(bed):
    bed.begin_region()
    start_controller(bed, "election")
    bed.wait_until("its end", lambda: bed.controller.process.poll() is not None, seconds=30)

    assert bed.controller.process.returncode == 1
    assert "election ends the process by a defect" in bed.controller.log.read_text()


def start_controller(bed, names="*"):
    bed.start_controller(
        launcher=defective(bed, names),
        options=[
            f"--health-address={free_address()}",
            f"--metrics-address={free_address()}",
            f"--status-address={free_address()}",
            f"--admission-webhook={free_address()}",
            "--ip-masq-agent-config=keep",
            "--egress-check-interval=1m",
        ],
    )


def test_threads_are_made_by_the_kit():
    root = Path(ipamd.__file__).parent
    makers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2]
        in ("Thread", "Timer", "ThreadPoolExecutor", "start_new_thread", "ThreadingHTTPServer")
    }

    assert makers == set(THREADS_MADE_ELSEWHERE)
