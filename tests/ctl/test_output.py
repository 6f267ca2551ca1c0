"""ipamctl beside a gRPC server: tables for people; JSON, YAML and names for programs; errors for both."""

import json
import re

import pytest
import yaml

from tests.ctl.fixture_node import ERROR

LISTINGS = ("pods", "enis", "eips")


def test_status_says_what_is_wrong_and_what_is_left(ipamctl):
    done = ipamctl("status")

    assert done.returncode == 0
    assert (
        "\nPROBLEM  the subnet subnet-9f3kq1ab has no free address; add one to --pod-subnets\n" in done.stdout
    )
    assert "eip 2, eni-ip 27" in done.stdout
    assert "8 of at most 27: 3 in use, 5 warm (target 5 to 5)" in done.stdout
    assert "started 7d ago" in done.stdout


def test_status_tells_each_component_with_its_last_good_answer(ipamctl):
    lines = ipamctl("status").stdout.splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line}

    assert rows["COMPONENT"] == ["COMPONENT", "STATE", "LAST-GOOD", "DETAIL"]
    assert rows["cloud"][1] == "trouble"
    assert rows["cloud"][3] == "ago"
    assert rows["metadata"] == ["metadata", "waiting", "-", "-"]
    assert rows["eips"][3:] == ["1", "of", "2", "in", "use"]


def test_a_trouble_is_told_once_whether_or_not_it_is_a_problem_of_the_node(ipamctl):
    lines = ipamctl("status").stdout.splitlines()

    assert "TROUBLE  cloud: the look at the cloud failed: timed out; again in 40 s" in lines
    assert sum("has no free address" in line for line in lines) == 1


def test_status_tells_what_addresses_do_that_are_neither_free_nor_a_pods(ipamctl):
    lines = ipamctl("status").stdout.splitlines()
    (held,) = [line for line in lines if line.startswith("10.0.101.109")]

    assert held.split()[2:4] == ["held", "default/web-0"]
    assert re.search(r" in ([1-4]?[0-9]|50)m$", held.rstrip())  # of fifty, from the fixture's start
    assert "HELD  10.0.101.109: kept for the next Pod of this name" in lines
    assert not any(line.startswith("10.0.101.106") for line in lines)
    assert any(
        line.startswith("10.0.101.106") for line in ipamctl("status", "-o", "wide").stdout.splitlines()
    )


def test_columns_stand_below_each_other_and_absent_values_are_a_dash(ipamctl):
    head, first, second = ipamctl("pods").stdout.splitlines()

    assert head.split() == ["NAMESPACE", "POD", "PRIVATE-IP", "PUBLIC-IP", "EIP-STATE", "AGE"]
    assert head.index("PUBLIC-IP") == first.index(" - ") + 1 == second.index("119.29.128.201")
    assert first.split()[-1] == "7d"
    assert second.split()[-1].startswith("2h")


@pytest.mark.parametrize("command", LISTINGS)
def test_tables_fit_into_100_columns_and_wide_ones_tell_more(ipamctl, command):
    table = [line for line in ipamctl(command).stdout.splitlines() if not line.startswith("PROBLEM")]
    wide = ipamctl(command, "-o", "wide").stdout.splitlines()

    assert max(len(line) for line in table) <= 100
    assert set(table[0].split()) <= set(wide[0].split())


def test_a_name_too_long_for_the_table_is_told_whole_to_programs(ipamctl):
    assert "nginx-deployment-7fb96c846b-x7k2p" in ipamctl("pods", "-o", "wide").stdout


def test_json_holds_numbers_defaults_and_times_as_text(ipamctl):
    answer = json.loads(ipamctl("status", "-o", "json").stdout)

    assert answer["startedAt"].endswith("Z")
    assert answer["capacity"] == {"direct-eni": 19, "eip": 2, "eni-ip": 27}
    assert answer["pool"]["quarantined"] == 0


@pytest.mark.parametrize("command", ["status", *LISTINGS])
def test_yaml_is_the_same_document_as_json(ipamctl, command):
    as_json, as_yaml = (ipamctl(command, "-o", form).stdout for form in ("json", "yaml"))

    # JSON is YAML: read by one reader, times are the same on both sides.
    assert yaml.load(as_yaml, yaml.BaseLoader) == yaml.load(as_json, yaml.BaseLoader)


def test_names_can_be_arguments_again(ipamctl):
    names = ipamctl("pods", "-o", "name").stdout.split()

    assert names == ["default/nginx-deployment-7fb96c846b-x7k2p", "kube-system/web-1"]
    assert ipamctl("pods", *names, "-o", "name").stdout.split() == names
    assert ipamctl("enis", "-o", "name").stdout.split() == ["eni-3f8kq2xz", "eni-7c1wd4pn", "eni-9v5zt8ru"]
    assert ipamctl("eips", "-o", "name").stdout == "eip-0wquaw2g\n"
    assert ipamctl("status", "-o", "name").stdout == "10.0.1.2\n"


@pytest.mark.parametrize(
    "chosen", [("web-1",), ("kube-system/web-1",), ("-n", "kube-system"), ("-n", "kube-system", "web-1")]
)
def test_a_listing_is_narrowed_by_name_and_namespace(ipamctl, chosen):
    assert ipamctl("pods", *chosen, "-o", "name").stdout == "kube-system/web-1\n"


@pytest.mark.parametrize("name", ["eip-0wquaw2g", "119.29.128.201", "web-1", "kube-system/web-1"])
def test_an_eip_is_found_by_id_address_and_pod(ipamctl, name):
    (eip,) = json.loads(ipamctl("eips", name, "-o", "json").stdout)["eips"]

    assert eip["eipId"] == "eip-0wquaw2g"


def test_a_name_of_nothing_is_refused_with_the_names_that_there_are(ipamctl):
    done = ipamctl("pods", "-n", "default", "web-9")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        "ipamctl: this node has no Pod 'web-9' in namespace default; "
        "it has default/nginx-deployment-7fb96c846b-x7k2p\n"
    )


def test_an_empty_list_is_said_in_words(ipamctl):
    assert ipamctl("pods", "-n", "nobody").stdout == "no Pod of this node has an address\n"


def test_an_error_stands_under_the_table_whole_and_on_one_line(ipamctl):
    lines = ipamctl("eips").stdout.splitlines()

    assert lines[-1] == f"PROBLEM  default/web-0: {ERROR}"


def test_an_agent_that_is_away_is_named_with_what_to_do_on_one_line(lonely):
    done = lonely("pods")

    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"no agent answers at {lonely.socket}: No such file or directory; " in line
    assert "tke-eni-agent" in line
