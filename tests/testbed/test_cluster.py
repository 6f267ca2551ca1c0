"""What judges of a real cluster see: when they wait, when they give up, and what they say then."""

import http.server
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from simulator.fabric import netns as namespaces
from testbed.cluster.internet import Internet
from testbed.cluster.observation import ClusterError, await_true, is_ready
from testbed.cluster.program import MachineError, Program, await_child
from testbed.cluster.running import ClusterStartError, running_cluster
from testbed.cluster.under_test import given_access
from testbed.http_json import HttpError
from tests.testkit.eventually import eventually


class Looks:
    """Sees one thing after another, the last one for ever; what is an exception is raised."""

    def __init__(self, *seen):
        self.left = list(seen)

    def __call__(self):
        seen = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(seen, Exception):
            raise seen
        return seen


class TestWaiting:
    def test_the_first_thing_that_is_true_is_given(self):
        assert await_true("a Pod", Looks(None, "", [], "web-0"), seconds=30) == "web-0"

    @pytest.mark.parametrize(
        "error",
        [ClusterError("kubectl: refused"), HttpError("GET", "/api", 503, "busy"), ConnectionRefusedError()],
    )
    def test_an_api_server_that_does_not_answer_is_nothing_seen(self, error):
        assert await_true("a Pod", Looks(error, "web-0"), seconds=30) == "web-0"

    def test_who_waits_in_vain_says_for_what_and_what_was_seen_last(self):
        with pytest.raises(ClusterError, match=r"^a Pod: not within 0 s; seen last: \[\]$"):
            await_true("a Pod", Looks([]), seconds=0)
        with pytest.raises(ClusterError, match="seen last: kubectl: refused"):
            await_true("a Pod", Looks(ClusterError("kubectl: refused")), seconds=0)

    def test_a_defect_of_the_test_is_not_waited_for(self):
        with pytest.raises(KeyError):
            await_true("a Pod", Looks(KeyError("metadata")), seconds=30)


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({}, False),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, True),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, False),
        ({"conditions": [{"type": "Initialized", "status": "True"}]}, False),
    ],
)
def test_a_pod_is_ready_by_its_condition(status, ready):
    assert is_ready({"status": status}) is ready


class TestGivenCluster:
    def test_without_a_kubeconfig_none_is_given(self, monkeypatch):
        monkeypatch.delenv("KUBECONFIG", raising=False)

        assert given_access() is None

    def test_the_document_beside_the_kubeconfig_is_read_and_names_that_kubeconfig(
        self, monkeypatch, tmp_path
    ):
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        monkeypatch.delenv("TKE_ENI_CLUSTER", raising=False)
        (tmp_path / "cluster.json").write_text(json.dumps({"kubeconfig": "elsewhere", "logs": "there"}))

        assert given_access() == {"kubeconfig": str(tmp_path / "config"), "logs": "there"}

    def test_a_kubeconfig_without_document_is_an_error_that_says_what_to_do(self, monkeypatch, tmp_path):
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        monkeypatch.setenv("TKE_ENI_CLUSTER", str(tmp_path / "nothing.json"))

        with pytest.raises(ClusterError, match=r"no .*nothing\.json: set TKE_ENI_CLUSTER"):
            given_access()


def test_a_cluster_that_does_not_come_up_says_what_it_printed(tmp_path):
    with (
        pytest.raises(ClusterStartError, match=r"no cluster, see .*(.|\n)*--no-such-option"),
        running_cluster(tmp_path / "cluster", "--no-such-option"),
    ):
        pass


ENDLESS = 'trap "echo ended in order; exit" TERM; echo up; while :; do sleep 0.05; done'


@pytest.mark.netns
class TestInternet:
    @pytest.fixture
    def host(self):
        """A host of the internet on which nothing listens yet."""
        name = f"internet{os.getpid()}"
        namespaces.create(name)
        yield name
        namespaces.delete(name)

    @pytest.fixture
    def listening(self, host):
        """The port of a web server there."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"you asked for {self.path}".encode())

            def log_message(self, *_):
                pass

        server = namespaces.run_in(host, lambda: http.server.HTTPServer(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
        server.server_close()

    def internet(self, host, execute=None):
        return Internet({"netns": host, "hosts": ["203.0.113.9", "203.0.113.10"]}, execute)

    def test_who_listens_is_reached_and_what_it_answers_is_read(self, host, listening):
        internet = self.internet(host)

        assert internet.reaches("127.0.0.1", listening)
        assert internet.get("127.0.0.1", listening, "/page") == "you asked for /page"

    def test_who_does_not_listen_is_not_reached_and_answers_nothing(self, host):
        internet = self.internet(host)

        assert not internet.reaches("127.0.0.1", 9)
        assert internet.get("127.0.0.1", 9) == ""

    def test_who_listens_outside_of_the_internet_is_not_reached(self, host):
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            assert not self.internet(host).reaches("127.0.0.1", elsewhere.getsockname()[1])

    def test_the_source_is_what_the_host_answers_and_silence_is_none(self):
        asked = []

        def answer(namespace, pod, *command):
            asked.append((namespace, pod, command[-1]))
            return "203.0.113.77\n"

        def silence(*_):
            raise ClusterError("wget: timed out")

        assert self.internet("", answer).source_seen_from("shop", "web-0") == "203.0.113.77"
        assert self.internet("", silence).source_seen_from("shop", "web-0") == ""
        assert asked == [("shop", "web-0", "http://203.0.113.9/")]


class TestProgram:
    """As nsenter does, a shell is the parent of what is ended and asked."""

    @pytest.fixture
    def program(self, tmp_path):
        command = ["sh", "-c", f"sh -c '{ENDLESS}'; :"]
        program = Program("daemon", tmp_path / "log", lambda: command)
        yield program
        program.kill()

    def up(self, program):
        eventually(lambda: "up" in program.log_tail())

    def test_it_runs_once_and_is_ended_in_order(self, program):
        program.start()
        self.up(program)
        program.start()
        assert program.is_running

        program.stop()

        assert not program.is_running
        assert program.log_tail().splitlines() == ["up", "ended in order"]

    def test_a_crash_says_nothing_and_it_can_be_started_again(self, program):
        program.start()
        self.up(program)

        program.kill()

        assert "ended in order" not in program.log_tail()
        program.start()
        eventually(lambda: program.log_tail().splitlines().count("up") == 2)

    def test_what_does_not_run_gets_no_signal(self, program):
        with pytest.raises(MachineError, match="daemon does not run"):
            program.signal(signal.SIGSTOP)

    def test_what_starts_nothing_is_an_error_with_what_it_printed(self, tmp_path):
        program = Program("daemon", tmp_path / "log", lambda: ["sh", "-c", "echo cannot enter >&2; exit 1"])

        with pytest.raises(MachineError, match=r"started nothing within .*(.|\n)*cannot enter"):
            program.start()

    def test_the_child_is_not_waited_for_without_end(self):
        with subprocess.Popen(["sleep", "60"]) as childless:
            with pytest.raises(MachineError, match="started nothing within 0 s"):
                await_child(childless, seconds=0.0)
            childless.kill()
