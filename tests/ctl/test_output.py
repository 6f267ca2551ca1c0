"""ipamctl against a real gRPC server: tables for people, JSON for programs, errors for both."""

import json
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from ipamd.ctl.__main__ import main
from ipamd.rpc import introspection_pb2 as messages
from ipamd.rpc import introspection_pb2_grpc as services


class _Node(services.IntrospectionServicer):
    def GetStatus(self, request, context):  # noqa: N802 - the generated name
        return messages.NodeStatus(
            version="0.1.0",
            node="node-1",
            instance_id="ins-1",
            started_at_unix=1_700_000_000,
            problems=["the subnet is full"],
            pool=messages.Pool(min_warm=5, max_warm=5, total=8, in_use=3, warm=5, limit=27),
            capacity={"eip": 2, "eni-ip": 27},
        )

    def ListPods(self, request, context):  # noqa: N802 - the generated name
        return messages.ListPodsReply(
            pods=[
                messages.PodEntry(namespace="default", name="web-0", private_ip="10.0.1.7"),
                messages.PodEntry(
                    namespace="default",
                    name="web-1",
                    private_ip="10.0.1.8",
                    eip_id="eip-1",
                    public_ip="198.18.0.1",
                    eip_state="bound",
                ),
            ]
        )

    def ListEnis(self, request, context):  # noqa: N802 - the generated name
        context.abort(grpc.StatusCode.INTERNAL, "the store is read-only")

    def ListEips(self, request, context):  # noqa: N802 - the generated name
        return messages.ListEipsReply()


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "agent.sock")
    server = grpc.server(futures.ThreadPoolExecutor(2))
    services.add_IntrospectionServicer_to_server(_Node(), server)
    server.add_insecure_port(f"unix:{path}")
    server.start()
    yield path
    server.stop(0).wait()


def test_status_says_what_is_wrong_and_what_is_left(socket: str, capsys):
    assert main(["--socket", socket, "status"]) == 0

    printed = capsys.readouterr().out
    assert "PROBLEM    the subnet is full" in printed
    assert "eip 2, eni-ip 27" in printed
    assert "3 in use, 5 warm (target 5 to 5)" in printed
    assert "2023-11-14T22:13:20Z" in printed


def test_columns_stand_below_each_other_and_absent_values_are_a_dash(socket: str, capsys):
    assert main(["--socket", socket, "pods"]) == 0

    head, first, second = capsys.readouterr().out.splitlines()
    for cell in ("web-0", "web-1"):
        line = first if cell in first else second
        assert head.index("POD") == line.index(cell)
    assert first.split()[-1] == "-"
    assert "198.18.0.1   bound" in second


def test_json_holds_numbers_defaults_and_times_as_text(socket: str, capsys):
    assert main(["--socket", socket, "status", "-o", "json"]) == 0

    answer = json.loads(capsys.readouterr().out)
    assert answer["startedAt"] == "2023-11-14T22:13:20Z"
    assert answer["capacity"] == {"eip": 2, "eni-ip": 27}
    assert answer["pool"]["quarantined"] == 0


def test_an_empty_list_is_said_in_words(socket: str, capsys):
    assert main(["--socket", socket, "eips"]) == 0

    assert capsys.readouterr().out == "no EIP is bound to an address of this node\n"


def test_an_agent_that_is_away_is_named_with_what_to_do(tmp_path: Path, capsys):
    path = f"{tmp_path}/nobody.sock"

    assert main(["--socket", path, "pods"]) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert path in printed.err
    assert "tke-eni-agent" in printed.err


def test_an_error_of_the_agent_is_shown(socket: str, capsys):
    assert main(["--socket", socket, "enis"]) == 1

    assert "the store is read-only" in capsys.readouterr().err
