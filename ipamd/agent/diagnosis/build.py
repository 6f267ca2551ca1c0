"""What answers an operator who asks more than what the agent knows by itself."""

from collections.abc import Callable

import grpc

from ipamd.agent.diagnosis.service import DiagnosisService
from ipamd.agent.diagnosis.trace import PodTrace
from ipamd.agent.eips.build import NodeEips
from ipamd.agent.enis import NodeEnis
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.net.dataplane import DataPlane
from ipamd.rpc import diagnosis_pb2_grpc

Register = Callable[[grpc.Server], None]
"""Adds services to a server that has not been started."""


def build(
    facts: LiveFacts, *, book: SharedLedger, dataplane: DataPlane, enis: NodeEnis, eips: NodeEips
) -> Register:
    """Return what adds the services."""
    trace = PodTrace(
        book=book,
        enis=enis,
        dataplane=dataplane,
        claims=eips.claims,
        vpc=lambda: facts.current.vpc_cidrs,
        node_ip=lambda: facts.current.instance.private_ip,
    )
    service = DiagnosisService(trace)
    return lambda server: diagnosis_pb2_grpc.add_DiagnosisServicer_to_server(service, server)
