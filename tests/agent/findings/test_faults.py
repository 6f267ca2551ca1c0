"""Faults of the agent, its configuration and what it talks to: each is one finding, with the next step."""

import json
import subprocess
import sys
import tarfile
import time

import pytest

from tests.agent.findings.checked_bed import NO_AGENT

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

_SLACK = 5.0
"""Seconds that a command may take besides its time-out; less than a second time-out."""


def slack(node):
    """How much that is now: on a busy machine a command takes long that waits for nobody."""
    began = time.monotonic()
    ipamctl(node, "--help")
    return max(_SLACK, 4 * (time.monotonic() - began))


def ipamctl(node, *arguments):
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(node.socket), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def test_a_network_configuration_that_cannot_be_kept_is_one_finding(node):
    other = node.conf.with_name("00-other.conflist")
    since = time.monotonic()
    other.write_text("{}")

    finding = node.only_finding("another CNI configuration comes first", "CniConfiguration", since=since)

    assert other.name in finding["text"]
    other.unlink()


def test_a_network_configuration_that_is_gone_is_back_at_once_and_is_a_repair(node):
    node.conf.unlink()

    node.eventually("it is back", node.conf.exists)
    node.eventually("it is told", lambda: "repaired: CniConfiguration" in node.log())
    assert node.is_well()


def test_a_network_configuration_that_somebody_changes_is_written_again_and_is_a_repair(node):
    before = node.log().count("repaired: CniConfiguration")
    ours = node.conf.read_text()
    node.conf.write_text(json.dumps({**json.loads(ours), "plugins": []}))

    node.eventually("it is ours again", lambda: node.conf.read_text() == ours)
    node.eventually("it is told", lambda: node.log().count("repaired: CniConfiguration") > before)
    assert node.is_well()


def test_a_network_configuration_that_cannot_be_put_back_is_one_finding(node):
    since = time.monotonic()
    node.eventually("a directory in its place", lambda: replaced_by_directory(node.conf))
    try:
        fault = "the CNI configuration gone, and it cannot be written"
        finding = node.only_finding(fault, "CniConfiguration", since=since)
    finally:
        node.conf.rmdir()

    assert node.conf.name in finding["text"]
    node.eventually("it is back", node.conf.is_file)


def replaced_by_directory(path):
    """Whether a directory could be made where the file was, before the agent put it back."""
    path.unlink(missing_ok=True)
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def test_a_daemon_that_hangs_is_one_finding(node):
    since = time.monotonic()
    node.agent.process.send_signal(19)  # SIGSTOP
    try:
        node.only_finding("the daemon hung", "AgentHung", since=since, exit_code=NO_AGENT)
    finally:
        node.agent.process.send_signal(18)


@pytest.mark.parametrize(
    "arguments", [("check",), ("explain", "pod", "one"), ("trace", "one"), ("status",)], ids=" ".join
)
def test_the_timeout_holds_for_the_whole_command(node, arguments):
    node.agent.process.send_signal(19)
    try:
        began = time.monotonic()
        done = ipamctl(node, "--timeout", "6", *arguments)
        took = time.monotonic() - began
    finally:
        node.agent.process.send_signal(18)

    assert done.returncode == 3
    assert took < 6 + slack(node), "one deadline, not one for each request"


def test_a_bundle_of_an_agent_that_hangs_is_whole_and_soon_there(node, tmp_path):
    path = tmp_path / "hung.tar.gz"
    node.agent.process.send_signal(19)
    try:
        began = time.monotonic()
        done = ipamctl(node, "bundle", "--file", str(path))
        took = time.monotonic() - began
    finally:
        node.agent.process.send_signal(18)

    assert done.returncode == 0, done.stderr
    assert took < 15 + slack(node)
    with tarfile.open(path) as archive:
        parts = {
            m.name.partition("/")[2]: archive.extractfile(m).read().decode() for m in archive.getmembers()
        }
    assert "gave no answer in time" in parts["status.json"]
    assert parts["check.json"].startswith("not asked: ")
    assert parts["kernel.json"].startswith("not asked: ")
    assert "ip-rule.txt" in parts


def test_a_bundle_that_is_cut_off_leaves_nothing_under_its_name(node, tmp_path):
    path = tmp_path / "cut.tar.gz"
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(node.socket), "bundle", "--file", str(path)]
    node.agent.process.send_signal(19)
    try:
        with subprocess.Popen(argv) as process:
            node.eventually("it has begun", lambda: list(tmp_path.iterdir()))
            process.kill()
    finally:
        node.agent.process.send_signal(18)

    assert not path.exists()


def test_a_daemon_that_is_dead_is_one_finding(tmp_path):
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(tmp_path / "none"), "check", "-o", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["code"] == "AgentNotRunning"
    assert "kubectl" in finding["nextStep"]


def test_a_node_is_well_while_pods_come_and_go(node):
    for number in range(4):
        _, sandbox = node.pod_and_sandbox(f"passing-{number}")
        process = subprocess.Popen(
            [sys.executable, "-m", "ipamd.ctl", "--socket", str(node.socket), "check", "-o", "json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert node.call("add", sandbox)[0] == 0
        node.delete_pod(sandbox)
        said, _ = process.communicate()
        assert [f for f in json.loads(said)["findings"] if f["severity"] != "info"] == []


def test_a_pod_that_went_without_a_del_is_no_finding_once_its_link_is_gone(node):
    """As after a reboot in which the Pod was given to another node."""
    _, sandbox = node.pod_and_sandbox("went")
    code, result = node.call("add", sandbox)
    assert code == 0
    node.held.touch()
    node.on_node("ip", "link", "del", result["interfaces"][0]["name"])
    node.eventually("it is told", lambda: "PodCutOff" in {f["code"] for f in node.check()[1]["findings"]})

    node.workloads.remove_pod("went")

    node.eventually("all is well", node.is_well)
    assert "went" in node.pods(), "a round that has freed it proves nothing"
    assert node.call("del", sandbox)[0] == 0
    assert "went" not in node.pods()


def test_a_message_is_one_line_where_no_people_look(node):
    node.held.touch()
    said: list[str] = []

    def is_told():
        # A round that something before has caused may still come, and mends it.
        node.on_node("ip", "link", "set", "eth1", "down")
        said[:] = ipamctl(node, "check").stdout.splitlines()
        return " ".join(said[:1]).startswith("ERROR    EniLink ")

    node.eventually("told", is_told)

    head, breaks, following, summary = said[:4]
    assert head == "ERROR    EniLink link/eth1: link eth1 is down, and has to be up"
    assert breaks.startswith("         breaks: ")
    assert "default/with-eip" in breaks
    assert following.startswith("         next: ")
    assert summary.endswith("mends 1")


def test_an_api_server_that_is_away_is_one_finding(node):
    since = time.monotonic()
    node.admin.post("/kube/faults", {"kind": "refuse"})

    finding = node.only_finding("the API server away", "ApiServerAway", since=since, seconds=40)

    assert "last good" in finding["text"]

    (component,) = [c for c in node.status()["components"] if c["name"] == "api-server"]
    assert component["state"] == "trouble"
    assert "api-server does not answer (last good" in component["troubles"][0]
    node.admin.delete("/kube/faults")
    node.eventually("status and check agree again", lambda: _is_ok(node, "api-server") and node.is_well())


def test_an_api_server_that_is_away_is_told_by_status_before_anybody_checks(node):
    node.admin.post("/kube/faults", {"kind": "refuse"})

    node.eventually("it is troubled", lambda: not _is_ok(node, "api-server"), seconds=60)


def test_a_cloud_that_is_away_is_told_by_check_and_status(node):
    node.admin.post("/faults", {"add": [{"kind": "http_500", "count": None}]})

    node.eventually("check tells", lambda: "CloudAway" in [f["code"] for f in node.problems()], seconds=40)
    node.eventually("status tells", lambda: not _is_ok(node, "cloud"))


def _is_ok(node, name):
    (component,) = [c for c in node.status()["components"] if c["name"] == name]
    return component["state"] == "ok"


def test_an_eip_that_somebody_unbinds_is_one_finding_and_fix_has_it_bound_again(node):
    since = time.monotonic()
    (eip_id,) = [eip["eipId"] for eip in node.ctl("eips")["eips"]]
    node.cloud.disassociate_eip(eip_id)
    node.eventually("unbound", lambda: node.cloud.describe_eip(eip_id).status.value == "UNBIND")

    finding = node.only_finding("an EIP unbound", "EipNotBound", since=since)

    assert finding["repairable"]
    assert f"EIP {eip_id} is UNBIND" in finding["text"]
    assert finding["pods"] == ["default/with-eip"]
    assert node.ctl("eips")["eips"][0]["state"] == "bound", "check changes nothing"
    node.check("--fix")
    node.eventually("bound again", lambda: node.cloud.describe_eip(eip_id).bound)
