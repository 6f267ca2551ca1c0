"""What the agent finds out about Pods: what is wrong stands first, then everything in its order."""

import json

import pytest

from ipamd.ctl.exit_codes import ExitCode


def test_a_trace_says_first_whom_the_outside_sees(ipamctl):
    done = ipamctl("trace", "kube-system/web-1")

    assert done.returncode == ExitCode.OK
    lines = done.stdout.splitlines()
    assert lines[0] == "Pod     kube-system/web-1, 10.0.101.108, EIP 119.29.128.201"
    assert lines[3] == "SEEN  the internet sees the Pod's EIP, 119.29.128.201"
    assert "nft ip tke_eni prerouting  a Pod with EIP" in lines
    assert lines[-1].startswith("UNREAD  nft ip nat POSTROUTING")


def test_what_does_not_arrive_is_a_problem(ipamctl):
    done = ipamctl("trace", "-n", "kube-system", "web-1", "--to", "169.254.0.23")

    assert done.returncode == ExitCode.PROBLEM
    assert "PROBLEM  the node drops it" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("web-9",), ExitCode.FAILED, "no Pod default/web-9 has an address"),
        (("web-1", "--to", "nonsense"), ExitCode.USAGE, "--to is 'nonsense'"),
        (("a/b/c",), ExitCode.USAGE, "the Pod is 'a/b/c'"),
        (("-n", "shop", "kube-system/web-1"), ExitCode.USAGE, "and -n is shop"),
    ],
)
def test_a_pod_or_address_that_is_none_is_named(ipamctl, arguments, code, said):
    done = ipamctl("trace", *arguments)

    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert said in line


def test_an_explanation_has_the_first_cause_on_top_and_then_all_in_order(ipamctl):
    done = ipamctl("explain", "pod", "default/web-0")

    assert done.returncode == ExitCode.PROBLEM
    lines = done.stdout.splitlines()
    assert lines[0] == "Pod default/web-0: 10.0.101.109, 119.29.128.202"
    assert lines[1].startswith("WRONG  the EIP is not bound: UnauthorizedOperation.CamNoAuth")
    assert lines[2] == "NEXT  the agent binds the EIP to its address"
    steps = [line.split()[1] for line in lines[5:8]]
    assert steps == ["seen", "address", "bind"]
    assert "2.0s" in lines[6]
    assert lines[7].endswith("FAILED: AssociateAddress was refused (RequestId 7f1c) (3 times)")


def test_a_pod_that_is_well_is_said_to_be(ipamctl):
    done = ipamctl("explain", "pod", "-n", "kube-system", "web-1")

    assert done.returncode == ExitCode.OK
    assert "OK  nothing is wrong with it" in done.stdout


def test_a_pod_of_which_nothing_is_known_is_refused(ipamctl):
    assert ipamctl("explain", "pod", "web-9").returncode == ExitCode.FAILED


@pytest.mark.parametrize("form", ["json", "yaml", "name", "table"])
def test_a_watch_tells_each_event_in_the_form_that_was_asked_for(ipamctl, form):
    done = ipamctl("watch", "-o", form)

    assert done.returncode == ExitCode.OK
    assert done.stdout.count("default/web-0") == 3
    if form == "json":
        assert [json.loads(line)["step"] for line in done.stdout.splitlines()] == ["seen", "address", "bind"]


def test_a_watch_of_another_namespace_tells_nothing(ipamctl):
    assert ipamctl("watch", "-n", "shop").stdout == ""


def test_a_watch_without_an_agent_says_so(lonely):
    done = lonely("watch", "--timeout", "0.5")

    assert done.returncode == ExitCode.NO_AGENT
    assert len(done.stderr.splitlines()) == 1


def test_claims_say_why_they_are_not_ready(ipamctl):
    lines = ipamctl("claims").stdout.splitlines()

    assert lines[1].split()[:5] == ["default", "web-0", "Failed", "119.29.128.202", "BindRefused"]
    assert lines[-1].startswith("PROBLEM  default/web-0: Bound=False: UnauthorizedOperation")


def test_settings_say_who_has_set_them(ipamctl):
    rows = [line.split() for line in ipamctl("settings").stdout.splitlines()]

    assert rows[0] == ["FLAG", "VALUE", "SET-BY"]
    assert rows[1] == ["--node-name", "10.0.1.2", "env"]
    assert ipamctl("settings", "-o", "name", "--", "--ip-cooldown").stdout == "--ip-cooldown\n"
