"""What `ipamctl connectivity` tries by default, and what it makes of an outcome; how it takes its arguments.

Real connections of real Pods: tests/scenario/test_connectivity.py.
"""

import pytest

from ipamd.ctl import legs
from ipamd.ctl.legs import Leg, LegKind, LegOutcome
from ipamd.rpc.diagnosis_pb2 import TraceReply

EIP = "119.29.128.201"


def pod(name, eip="", netns="/run/netns/x", ip="10.0.101.7"):
    return legs.PodPlace(
        namespace="default", name=name, ip=ip, netns=netns, host_interface=f"eni{name}", eip=eip
    )


def entry(**fields):
    known = {"namespace": "default", "name": "web-0", "privateIp": "10.0.101.7", "netns": "/run/netns/x"}
    return known | {"hostInterface": "eni0", "publicIp": EIP, "eipState": "bound"} | fields


@pytest.mark.parametrize(
    ("pods", "chosen"),
    [
        ([pod("a"), pod("b"), pod("c", EIP)], ["c", "a"]),
        ([pod("a", EIP), pod("b", EIP)], ["a", "b"]),
        ([pod("a"), pod("b"), pod("c")], ["a", "b"]),
        ([pod("a", netns=""), pod("b")], ["b"]),
        ([pod("a", netns="")], ["a"]),
        ([], []),
    ],
)
def test_two_pods_are_chosen_one_with_eip_and_one_without(pods, chosen):
    assert [one.name for one in legs.some_of(pods)] == chosen


@pytest.mark.parametrize(("state", "eip"), [("bound", EIP), ("binding", ""), ("unbinding", ""), ("", "")])
def test_only_a_bound_eip_counts(state, eip):
    assert legs.pod_of(entry(eipState=state)).eip == eip


def test_each_pod_is_to_reach_each_other_one():
    ways = {(leg.source, leg.target) for leg in legs.between_pods([pod("a"), pod("b"), pod("c")])}

    assert len(ways) == 6
    assert ("default/a", "default/a") not in ways


def test_a_pod_whose_namespace_the_agent_does_not_know_is_not_tried():
    first, second = legs.between_pods([pod("a"), pod("b", netns="")])

    assert first.skipped == second.skipped == "the agent does not know the network namespace of default/b"


def outside(one):
    return legs.to_server(LegKind.POD_TO_INTERNET, one, "203.0.113.5:443", "203.0.113.5", "", "")


def judged(leg, outcome, **trace):
    told = {(leg.pod.full_name, leg.traced_to): TraceReply(**trace)} if trace else {}
    return legs.judged(leg, outcome, told)


@pytest.mark.parametrize(
    ("trace", "result"),
    [
        ({"seen_as": "eip", "seen_address": EIP}, "failed"),
        ({"seen_as": "unknown", "verdict": "a NAT gateway is seen"}, "failed"),
        ({"seen_as": "pod", "seen_address": "198.51.100.1"}, "ok"),
        ({}, "failed"),
    ],
)
def test_a_pod_with_eip_has_to_be_seen_by_it_unless_the_trace_knows_better(trace, result):
    leg = judged(outside(pod("a", EIP)), LegOutcome(milliseconds=1.0, seen_source="198.51.100.1"), **trace)

    assert leg.result == result
    assert not leg.why or leg.why.startswith(f"it arrives, and 198.51.100.1 is seen instead of {EIP}")


def test_a_pod_without_eip_may_be_seen_as_anybody():
    leg = judged(outside(pod("a")), LegOutcome(seen_source="198.51.100.1"), seen_as="node")

    assert leg.result == "ok"


def test_a_pod_that_the_node_sees_as_somebody_else_is_told():
    to_node, _ = legs.with_node(pod("a"), "10.0.1.2", "", "")

    leg = judged(to_node, LegOutcome(seen_source="10.0.1.9"), seen_as="pod", seen_address="10.0.101.7")

    assert (leg.result, leg.why) == ("failed", "it arrives, and 10.0.1.9 is seen instead of 10.0.101.7")


def test_what_fails_names_what_the_trace_says_is_in_its_way():
    lost = {"seen_as": "nobody", "verdict": "the node drops it: eni0 is down"}

    leg = judged(outside(pod("a")), LegOutcome(failure="no answer within 5 s"), **lost)

    assert leg.why == "no answer within 5 s: the node drops it: eni0 is down"
    assert "`ipamctl trace default/a --to 203.0.113.5`" in leg.next_step


def test_what_fails_into_a_pod_names_what_is_in_the_way_of_its_answers():
    _, into = legs.with_node(pod("a"), "10.0.1.2", "", "")

    leg = judged(into, LegOutcome(failure="no answer"), seen_as="nobody", verdict="the node drops it")

    assert leg.why == "no answer: the node drops it"
    assert "--to 10.0.1.2`" in leg.next_step


@pytest.mark.parametrize(
    ("kind", "hint"), [(LegKind.POD_TO_SERVICE, "kube-proxy"), (LegKind.POD_TO_INTERNET, "security group")]
)
def test_where_nothing_is_in_the_way_on_the_node_the_next_step_looks_behind_it(kind, hint):
    leg = Leg(kind=kind, source="default/a", target="x:1", pod=pod("a"), address="203.0.113.5")

    told = judged(leg, LegOutcome(failure="no answer"), seen_as="eip", verdict="it leaves")

    assert told.result == "failed"
    assert hint in told.next_step


def test_a_trace_of_a_service_without_its_port_is_not_taken_for_an_expectation():
    leg = legs.to_server(LegKind.POD_TO_SERVICE, pod("a"), "172.16.0.1:443", "172.16.0.1", "", "")

    assert judged(leg, LegOutcome(), seen_as="unknown", verdict="to the internet").expected == ""
    assert judged(leg, LegOutcome(), seen_as="nobody", verdict="dropped").expected == "dropped"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--to", "mirrors.tencent.com"),
        ("--to", ":443"),
        ("--to", "x:0"),
        ("--to", "x:65536"),
        ("--to", "x:http"),
        ("--service", "172.16.0.1"),
        ("--echo", "ftp://x/"),
        ("--echo", "ifconfig.me"),
        ("--echo", "http:///ip"),
        ("--echo", "http://x:y/"),
        ("--echo", "http://x/a b"),
    ],
)
def test_an_argument_that_names_no_server_is_refused_with_an_example(ipamctl, wrong):
    done = ipamctl("connectivity", *wrong)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{wrong[0]} is '{wrong[1]}'; give " in done.stderr


def test_on_a_node_where_nothing_can_be_tried_it_says_why_and_is_no_success(ipamctl):
    done = ipamctl("connectivity", "--to", "192.0.2.1:443")

    assert done.returncode == 4
    assert "SKIPPED  " in done.stdout
    assert "the agent does not know the network namespace of kube-system/web-1" in done.stdout


def test_a_pod_that_is_not_here_is_refused(ipamctl):
    done = ipamctl("connectivity", "no-such-pod", "--to", "")

    assert done.returncode == 4
    assert "this node has no Pod 'no-such-pod'" in done.stderr
