"""`ipamctl trace`: whom the outside sees stands first, then every step on the way."""

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
