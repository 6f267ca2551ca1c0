"""How the answers of a diagnosis look to `ipamctl`, and what a refusal becomes."""

import time
from types import SimpleNamespace

import pytest

from ipamd.agent.diagnosis.service import DiagnosisService
from ipamd.agent.diagnosis.trace import NoSuchPodError
from ipamd.core.errors import InvalidInputError, TryAgainError
from ipamd.core.history.events import PodEvent
from ipamd.core.ledger.states import Address, Binding, BindStage, Occupied
from ipamd.core.timing.boottime import Boottime
from ipamd.grpc_server.status import StatusCode
from ipamd.rpc import diagnosis_pb2 as messages
from tests.testkit.addresses import assigned
from tests.testkit.pods import pod_ref

NOW = Boottime(1000.0)
USED = assigned()
STRANGER = Occupied(host_interface="veth", host_mac="0a:e2:00:00:00:01", pod=None, since=1.0)
EVENT = PodEvent(pod="default/web-0", at=Boottime(990.0), step="add", text="it has 10.0.1.10", took=1.5)


def address(state=USED, stage=None):
    eip = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=stage) if stage else None
    return Address(ip="10.0.1.10", eni_id="eni-1", state=state, added_at=0.0, eip=eip)


class EndedError(Exception):
    """A call that was ended with a status."""


class Call:
    def abort(self, code, text):
        raise EndedError(code, text)


def answering(found):
    """A service whose looks find this, or fail so."""

    def run(*_):
        if isinstance(found, Exception):
            raise found
        return found

    explain = SimpleNamespace(
        trace=SimpleNamespace(run=run),
        run=run,
        shared_ledger=SimpleNamespace(now=lambda: NOW),
        claims=SimpleNamespace(all=list),
    )
    return DiagnosisService(explain, [], config=dict)


def trace(found):
    return answering(found).Trace(messages.TraceRequest(namespace="default", name="web-0"), Call())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoSuchPodError("no such Pod"), StatusCode.NOT_FOUND),
        (InvalidInputError("--to is x"), StatusCode.INVALID_ARGUMENT),
        (TryAgainError("busy"), StatusCode.FAILED_PRECONDITION),
    ],
)
def test_a_refusal_is_a_status_that_ipamctl_knows(error, code):
    service, request = answering(error), messages.ExplainRequest(namespace="default", name="web-0")
    for ask in (lambda: trace(error), lambda: service.Explain(request, Call())):
        with pytest.raises(EndedError) as ended:
            ask()
        assert ended.value.args == (code, str(error))


def traced(found):
    way = SimpleNamespace(seen_as=SimpleNamespace(value="its EIP"), address="198.18.0.1", verdict="well")
    steps = [SimpleNamespace(chain="forward", text="accepted")]
    packet = SimpleNamespace(link="eth1", gateway="10.0.1.1", source="10.0.1.10", steps=steps, unread=("x",))
    return trace(SimpleNamespace(address=found, destination="203.0.113.5", trace=packet, way=way))


@pytest.mark.parametrize(("state", "name"), [(USED, "web-0"), (STRANGER, "")])
def test_a_trace_names_the_pod_where_it_is_known(state, name):
    reply = traced(address(state))

    assert (reply.namespace, reply.name) == ("default" if name else "", name)
    assert (reply.private_ip, reply.destination, reply.verdict) == ("10.0.1.10", "203.0.113.5", "well")
    assert [(step.where, step.what) for step in reply.steps] == [("forward", "accepted")]
    assert (reply.link, reply.gateway, reply.source, list(reply.unread)) == (
        "eth1",
        "10.0.1.1",
        "10.0.1.10",
        ["x"],
    )


@pytest.mark.parametrize(
    ("stage", "public_ip"), [(BindStage.BOUND, "198.18.0.1"), (BindStage.BINDING, ""), (None, "")]
)
def test_a_trace_names_the_eip_once_it_is_bound(stage, public_ip):
    assert traced(address(stage=stage)).public_ip == public_ip


def explained(found, *events):
    return answering(
        SimpleNamespace(
            pod=pod_ref(),
            address=found,
            explanation=SimpleNamespace(wrong=["the cloud refuses"], next="ask"),
            sight=SimpleNamespace(events=events),
            sides=[SimpleNamespace(side="cloud", what="eip", text="bound", ok=True)],
        )
    ).Explain(messages.ExplainRequest(namespace="default", name="web-0"), Call())


@pytest.mark.parametrize(
    ("found", "private_ip", "public_ip"),
    [
        (None, "", ""),
        (address(), "10.0.1.10", ""),
        (address(stage=BindStage.BINDING), "10.0.1.10", "198.18.0.1"),
    ],
)
def test_an_explanation_has_the_addresses_that_there_are(found, private_ip, public_ip):
    reply = explained(found)

    assert (reply.name, reply.private_ip, reply.public_ip) == ("web-0", private_ip, public_ip)
    assert (list(reply.wrong), reply.next) == (["the cloud refuses"], "ask")
    assert [(sight.side, sight.ok) for sight in reply.sights] == [("cloud", True)]


def test_an_event_has_its_time_by_the_wall_clock_and_how_long_it_took():
    (entry,) = explained(None, EVENT).events

    assert (entry.pod, entry.step, entry.text, entry.took_ms) == (
        "default/web-0",
        "add",
        "it has 10.0.1.10",
        1500,
    )
    assert abs(entry.at_unix - (time.time() - 10)) < 5
