"""What kubelet is told when a user, an operator or the runtime wrote something wrong."""

import json

import pytest

from testbed.bed import NETWORK, Bed

pytestmark = [pytest.mark.scenario, pytest.mark.netns]


def _stdin(**changes: object) -> bytes:
    return json.dumps({**NETWORK, **changes}).encode()


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK"])
def test_stdin_that_is_not_json_is_a_decoding_error(bed: Bed, verb: str):
    sandbox = bed.runtime.new_sandbox()

    error = bed.runtime.run(verb, sandbox, stdin=b'{"name": "tke-eni", ').error()

    assert error.code == 6
    assert "standard input" in error.message


def test_an_unknown_spec_version_is_refused_with_the_known_ones(bed: Bed):
    sandbox = bed.runtime.new_sandbox()

    error = bed.runtime.run("ADD", sandbox, stdin=_stdin(cniVersion="7.7.7")).error()

    assert error.code == 1
    assert "7.7.7" in error.message
    assert "1.1.0" in error.message


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_the_result_is_in_the_version_that_the_configuration_asks_for(bed: Bed, version: str):
    name = f"v{version.replace('.', '-')}"
    pod = bed.workloads.create_pod(name, node=bed.node.name)
    sandbox = bed.runtime.new_sandbox(pod=pod)

    result = bed.runtime.run("ADD", sandbox, stdin=_stdin(cniVersion=version)).result()

    assert result["cniVersion"] == version
    assert ("version" in result["ips"][0]) == (version in ("0.3.1", "0.4.0"))
    bed.delete_pod(sandbox)


def test_a_missing_netns_variable_is_named(bed: Bed):
    pod = bed.workloads.create_pod("no-netns", node=bed.node.name)
    sandbox = bed.runtime.new_sandbox(pod=pod)

    error = bed.runtime.run("ADD", sandbox, without=("CNI_NETNS",)).error()

    assert error.code == 4
    assert "CNI_NETNS" in error.message


def test_a_netns_that_is_gone_fails_the_add_and_not_the_delete(bed: Bed):
    pod = bed.workloads.create_pod("gone-netns", node=bed.node.name)
    sandbox = bed.runtime.new_sandbox(pod=pod)
    bed.runtime.remove_sandbox(sandbox)

    error = bed.runtime.run("ADD", sandbox).error()
    deleted = bed.runtime.run("DEL", sandbox)

    assert sandbox.netns_path in error.message
    assert deleted.exit_code == 0


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("{not json", "JSON"),
        ('{"Bandwidth":"100","ISP":"STARLINK"}', "STARLINK"),
        ('{"Bandwidth":"fast"}', "fast"),
        ('{"Bandwidth":"0"}', "1"),
        ('{"Bandwidth":"101"}', "100"),
    ],
)
def test_wrong_eip_attributes_are_named_with_what_is_allowed(bed: Bed, value: str, named: str):
    name = f"wrong-{abs(hash(value)) % 10**8}"

    sandbox, outcome = bed.add_pod(name, annotations={"eip-attributes": value}, eip=True)

    error = outcome.error()
    assert error.code == 7
    assert "tke.cloud.tencent.com/eip-attributes" in error.message
    assert named in error.message
    assert f"default/{name}" in error.message
    bed.delete_pod(sandbox)


def test_a_pod_that_does_not_exist_gets_no_address(bed: Bed):
    ghost = {"metadata": {"namespace": "default", "name": "ghost", "uid": "0000"}}
    sandbox = bed.runtime.new_sandbox(pod=ghost)

    error = bed.runtime.run("ADD", sandbox).error()

    assert "default/ghost" in error.message
    assert bed.runtime.run("DEL", sandbox).exit_code == 0
