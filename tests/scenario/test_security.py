"""Both daemons, seen from outside: whom they listen to, and that no secret leaves them."""

import contextlib
import re
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path

import pytest

from simulator.fabric import netns as namespaces
from testbed.bed import Bed
from testbed.http_json import JsonEndpoint

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

DEBUG = ["--log-level=debug"]


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    with Bed(tmp_path_factory.mktemp("security")) as bed:
        bed.start_region()
        bed.start_controller(options=[*DEBUG, "--sweep-interval=10s"])
        bed.start_agent(options=[*DEBUG, "--repair-interval=1s", "--cloud-check-interval=1s"])
        bed.wait_until_ready()
        yield bed


def listeners(pid):
    """Everything that a process listens on: TCP, UDP and unix sockets, by what /proc shows."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if found := re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink())):
                inodes.add(found[1])
    for protocol, listening in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == listening and rest[5] in inodes:
                yield f"{protocol} {local}"
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        accepting = int(fields[3], 16) & 0x10000  # __SO_ACCEPTCON
        if accepting and fields[6] in inodes:
            yield f"unix {fields[7] if len(fields) > 7 else '(no name)'}"


def test_the_agent_listens_on_its_socket_and_nowhere_else(bed):
    assert list(listeners(bed.agent.pid)) == [f"unix {bed.socket}"]
    assert bed.socket.stat().st_mode & 0o777 == 0o600
    assert bed.socket.parent.stat().st_mode & 0o077 == 0


def test_the_controller_listens_nowhere(bed):
    assert list(listeners(bed.controller.pid)) == []


def test_what_is_configured_is_listened_on_and_no_more(tmp_path):
    with Bed(tmp_path) as bed:
        bed.start_region()
        bed.start_agent(options=["--health-address=127.0.0.1:61680"])
        bed.wait_until_ready()
        found = set(listeners(bed.agent.pid))
        assert found == {f"unix {bed.socket}", f"tcp 0100007F:{61680:04X}"}


def test_another_user_cannot_connect(bed):
    attempt = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-I", "-c", attempt, str(bed.socket)],
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "PermissionError" in done.stderr


def secrets(bed):
    """The account's key, and what the metadata service gives the node for its role."""
    url = f"{bed.endpoints.node_metadata}/latest/meta-data/cam/security-credentials/"

    def fetch(path):
        with urllib.request.urlopen(url + path) as answer:
            return answer.read().decode()

    role = namespaces.run_in(bed.node.netns, lambda: fetch("")).strip().strip("/")
    given = namespaces.run_in(bed.node.netns, lambda: fetch(role))
    found = dict(re.findall(r'"(TmpSecretId|TmpSecretKey|Token)":\s*"([^"]+)"', given))
    assert len(found) == 3, given
    return {
        "secret id": bed.endpoints.secret_id,
        "secret key": bed.endpoints.secret_key,
        **found,
    }


def spoken(bed, tmp_path):
    """Everything that both daemons, and the operator's command, have said anywhere."""
    for child in (bed.agent, bed.controller):
        yield child.name, child.log.read_text()
    kube = JsonEndpoint(bed.endpoints.kube)
    for kind in (
        "/api/v1/events",
        "/apis/networking.tke.cloud.tencent.com/v1/eipclaims",
        "/api/v1/nodes",
        "/api/v1/pods",
    ):
        yield kind, str(kube.get(kind))
    kube.close()
    for command in ("status", "pods", "enis", "eips"):
        yield command, str(bed.ctl(command))
    path = tmp_path / "bundle.tar.gz"
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(bed.socket), "bundle", "--file", str(path)]
    logs = [f"--log={child.log}" for child in (bed.agent, bed.controller)]
    subprocess.run([*argv, *logs], check=True, capture_output=True)
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            yield f"bundle {member.name}", archive.extractfile(member).read().decode()
    for file in bed.state_dir.iterdir():
        yield str(file), file.read_bytes().decode(errors="replace")
    yield (
        "command lines",
        "".join(Path(f"/proc/{child.pid}/cmdline").read_text() for child in (bed.agent, bed.controller)),
    )


def test_no_secret_is_in_any_log_event_object_answer_store_or_bundle(bed, tmp_path):
    known = secrets(bed)
    served, outcome = bed.add_pod("web-0", annotations={"eip-attributes": ""}, eip=True)
    outcome.result()
    # Refusals are told at length: a key that is not accepted, a broken answer, a right that is missing.
    refused = {"kind": "error", "code": "UnauthorizedOperation"}  # the last: it is believed for a minute
    kinds = ({"kind": "error", "code": "AuthFailure.SignatureFailure"}, {"kind": "broken_json"}, refused)
    faults = [
        {**fault, "action": action, "count": 1}
        for fault in kinds
        for action in ("DescribeNetworkInterfaces", "DescribeAddresses")  # the agent's, and the controller's
    ]
    bed.admin.post("/faults", {"add": faults})
    bed.wait_until("most were met", lambda: len(bed.admin.post("/faults", {})["in_force"]) <= 2, seconds=90)
    bed.admin.post("/faults", {"clear": True})
    bed.delete_pod(served)

    said = dict(spoken(bed, tmp_path))

    assert {"agent", "controller"} <= set(said)
    assert "DEBUG" in said["agent"].upper()
    leaked = [
        f"{name} in {where}"
        for name, secret in known.items()
        for where, text in said.items()
        if secret in text
    ]
    assert leaked == []


def test_libraries_do_not_write_what_is_sent_and_answered(bed):
    """The SDK logs whole answers and urllib3 each request at debug level; neither gets to the log."""
    for child in (bed.agent, bed.controller):
        loggers = set(re.findall(r"^\S+ \w+\s+([\w.]+):", child.log.read_text(), re.MULTILINE))
        assert loggers
        assert all(logger.partition(".")[0] == "ipamd" for logger in loggers), loggers
