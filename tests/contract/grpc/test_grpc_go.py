"""Our gRPC server as grpc-go sees it, with which kubectl-like clients and grpcurl are built."""

from ipamd.rpc import cni_pb2, diagnosis_pb2
from tests.testkit.eventually import comes_about


def request(stdin=b""):
    return cni_pb2.CniRequest(stdin=stdin).SerializeToString()


def test_calls_are_answered_more_at_once_than_a_connection_may_have_streams(call):
    answer = cni_pb2.CniReply(stdout=b"y" * 100).ByteSize()

    assert call("Cni/Add", request(b"y" * 100), count=500) == [f"OK {answer} "] * 500


def test_a_message_larger_than_the_windows_comes_back_whole(call):
    stdin = b"z" * 1_500_000
    answer = cni_pb2.CniReply(stdout=stdin).ByteSize()

    assert call("Cni/Add", request(stdin), count=3) == [f"OK {answer} "] * 3


def test_a_message_that_is_too_large_is_refused(call):
    (outcome,) = call("Cni/Add", request(b"z" * 3_000_000))

    assert outcome.startswith("ResourceExhausted 0 a message of 3000")


def test_a_method_that_is_not_there_is_unimplemented(call):
    (outcome,) = call("Cni/Nothing", request())

    assert outcome == "Unimplemented 0 there is no method /tke.eni.v1.Cni/Nothing here"


def test_a_refusal_keeps_its_words(call):
    request = diagnosis_pb2.TraceRequest().SerializeToString()

    assert " ".join(call("Diagnosis/Trace", request)) == "NotFound 0 kein Pod „web“: 100 % "


def test_a_defect_is_told(call):
    assert call("Cni/Del", request()) == ["Unknown 0 a defect of the agent: ValueError: a defect of the test"]


def test_a_deadline_ends_the_call_on_both_sides(call, served):
    (outcome,) = call("Cni/Check", request(), timeout="300ms")

    assert outcome.startswith("DeadlineExceeded 0 ")
    assert served.verbs.cancelled.wait(5)


def test_a_stream_is_sent_under_flow_control_until_nobody_listens(call, served):
    (outcome,) = call("Diagnosis/Watch", kind="stream", count=400)

    assert outcome.startswith("OK 40")
    assert comes_about(served.watches.closed.is_set, 5.0)
