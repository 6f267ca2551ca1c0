"""What `ipamctl` finds out about Pods of a node that runs, against what hosts outside see."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from testbed import masquerade
from testbed.bed import Bed
from testbed.probes import SourceReporter, seen_source

pytestmark = [pytest.mark.scenario, pytest.mark.netns]


def ipamctl(bed: Bed, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run it with -o json; return how it ended, and what it printed."""
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(bed.socket), *arguments, "-o", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}


@pytest.fixture(scope="module")
def pods(bed):
    """A Pod with EIP and one without, on a node with ip-masq-agent."""
    masquerade.install(bed.node.netns, vpc_cidrs=["10.0.0.0/16"], iptables="iptables-nft")
    with_eip, _ = bed.add_pod("web-0", annotations={"eip-attributes": ""}, eip=True)
    without, _ = bed.add_pod("plain")
    yield with_eip, without
    for sandbox in (with_eip, without):
        bed.delete_pod(sandbox)


def test_a_trace_says_whom_an_internet_host_sees(bed, pods):
    with_eip, without = pods
    outside = bed.internet_hosts[0]
    (eip,) = [pod["publicIp"] for pod in bed.ctl("pods")["pods"] if pod["name"] == "web-0"]

    with SourceReporter(bed.internet_netns):
        code, trace = ipamctl(bed, "trace", "web-0", "--to", outside)
        assert (code, trace["seenAs"], trace["seenAddress"]) == (0, "eip", eip)
        assert seen_source(with_eip.netns, outside) == eip

        code, trace = ipamctl(bed, "trace", "plain", "--to", outside)
        assert (code, trace["seenAs"]) == (0, "node")
        assert trace["source"] == bed.node.private_ip
        assert seen_source(without.netns, outside) == bed.node.public_ip


def test_a_trace_takes_a_port_and_refuses_what_is_none(bed, pods):
    code, trace = ipamctl(bed, "trace", "web-0", "--to", "10.0.1.1:443")
    assert (code, trace["destination"], trace["seenAs"]) == (0, "10.0.1.1:443", "pod")

    for wrong in ("10.0.1.1:", "10.0.1.1:0", "10.0.1.1:65536", "web:80", "10.0.1.1:http"):
        code, said = ipamctl(bed, "trace", "web-0", "--to", wrong)
        assert code == 2
        assert f"--to is '{wrong}'" in said["error"]


def test_a_trace_of_a_pod_that_is_not_here_is_refused(bed):
    code, said = ipamctl(bed, "trace", "nobody")

    assert code == 4
    assert "no Pod default/nobody has an address on this node" in said["error"]


def test_a_trace_names_what_is_closed_to_pods(bed, pods):
    code, trace = ipamctl(bed, "trace", "web-0", "--to", "169.254.0.23")

    assert (code, trace["seenAs"]) == (1, "nobody")
    assert "closed to Pods" in trace["verdict"]


def test_an_explanation_tells_the_whole_way_of_a_pod_with_eip_in_order(bed, pods):
    code, told = ipamctl(bed, "explain", "pod", "web-0")

    assert (code, told["wrong"], told["next"]) == (0, [], "nothing: all is done")
    steps = [event["step"] for event in told["events"]]
    assert [step for step in steps if step in ("seen", "address", "ADD")] == ["seen", "address", "ADD"]
    assert steps.index("seen") < steps.index("order") < steps.index("ADD")
    bound = [event for event in told["events"] if "is bound to" in event["text"]]
    assert bound
    assert bound[0]["tookMs"] > 0
    (accepted,) = [event for event in told["events"] if "accepts AssociateAddress" in event["text"]]
    assert accepted["requestId"] in accepted["text"]
    assert 0 < accepted["tookMs"] <= bound[0]["tookMs"]
    times = [event["at"] for event in told["events"]]
    assert times == sorted(times)
    sides = {(sight["side"], sight["what"].split()[0]): sight for sight in told["sights"]}
    assert sides.keys() >= {("kernel", "wiring"), ("cloud", "ENI"), ("cloud", "EIP"), ("cluster", "EIPClaim")}
    assert all(sight["ok"] for sight in told["sights"]), told["sights"]


def test_an_explanation_names_what_the_kernel_has_lost(bed, pods):
    _, without = pods
    link = next(pod["hostInterface"] for pod in bed.ctl("pods")["pods"] if pod["name"] == "plain")
    inside = ["ip", "netns", "exec", without.netns.rpartition("/")[2]]
    subprocess.run([*inside, "ip", "route", "flush", "default"], check=True)

    code, told = ipamctl(bed, "explain", "pod", "plain")

    subprocess.run(
        [*inside, "ip", "route", "add", "default", "via", "169.254.1.1", "dev", "eth0", "onlink"], check=True
    )
    assert link
    assert code == 1
    assert "route" in told["wrong"][0]


def test_a_pod_whose_link_is_gone_needs_a_new_sandbox(bed):
    sandbox, _ = bed.add_pod("cut-off")
    link = next(pod["hostInterface"] for pod in bed.ctl("pods")["pods"] if pod["name"] == "cut-off")
    subprocess.run(["ip", "-n", bed.node.netns, "link", "del", link], check=True)

    code, told = ipamctl(bed, "explain", "pod", "cut-off")
    bed.delete_pod(sandbox)

    assert code == 1
    assert f"link {link} does not exist on the node" in told["wrong"]
    assert told["next"] == "nothing by itself: delete the Pod, so that it gets a new sandbox"


def test_a_pod_whose_add_failed_is_explained(bed):
    sandbox, outcome = bed.add_pod("broken", annotations={"eip-attributes": "{"}, eip=True)

    code, told = ipamctl(bed, "explain", "pod", "broken")
    bed.delete_pod(sandbox)

    assert outcome.exit_code != 0
    assert code == 1
    (wrong,) = told["wrong"]
    assert "eip-attributes" in wrong
    assert [event["step"] for event in told["events"] if event["failed"]] == ["ADD"]


def test_a_pod_that_was_created_again_is_explained_by_its_own_times(bed):
    sandbox, _ = bed.add_pod("again")
    bed.delete_pod(sandbox)
    began = time.monotonic()
    sandbox, _ = bed.add_pod("again")
    lasted = time.monotonic() - began

    _, told = ipamctl(bed, "explain", "pod", "again")
    bed.delete_pod(sandbox)

    seen = [number for number, event in enumerate(told["events"]) if event["step"] == "seen"]
    assert len(seen) == 2
    took = [event["tookMs"] for event in told["events"][seen[1] :] if event["tookMs"]]
    assert took
    assert max(took) <= 1000 * lasted


def test_a_watch_tells_a_pods_life_as_it_happens(bed):
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(bed.socket), "watch", "-o", "json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        assert "watching" in watch.stderr.readline()
        sandbox, _ = bed.add_pod("first")
        seen = [json.loads(watch.stdout.readline())["step"]]
        bed.delete_pod(sandbox)
        while "gone" not in seen:
            seen.append(json.loads(watch.stdout.readline())["step"])
        watch.kill()

    assert "DEL" in seen


def test_claims_and_settings_are_those_of_the_agent(bed, pods):
    _, listed = ipamctl(bed, "claims")
    _, settings = ipamctl(bed, "settings")

    (claim,) = listed["claims"]
    assert (claim["name"], claim["phase"], claim["condition"]) == ("web-0", "Bound", "Ready=True")
    by_flag = {setting["flag"]: setting for setting in settings["settings"]}
    assert by_flag["--node-name"]["source"] == "flag"
    assert by_flag["--ip-cooldown"]["source"] == "default"
    assert by_flag["--socket"]["value"] == str(bed.socket)
