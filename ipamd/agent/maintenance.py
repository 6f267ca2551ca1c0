"""The gRPC service `Maintenance`: what an operator has the agent do now, instead of at its next round.

Thread safety: methods run on the server's threads; a repair is carried out by the upkeep's own thread.
"""

import dataclasses
import json
import time
from collections.abc import Callable

import grpc

from ipamd.agent.cni.check import Check
from ipamd.agent.node.repair_loop import RepairLoop
from ipamd.agent.problems import NodeProblems
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.errors import IpamError
from ipamd.core.ledger.states import Assigned
from ipamd.core.timing.deadline import Deadline
from ipamd.net import ipv6_guard, nft_table
from ipamd.net.model import Snapshot
from ipamd.rpc import maintenance_pb2 as messages
from ipamd.rpc import maintenance_pb2_grpc

_MOST_SECONDS = 120.0


class MaintenanceService(maintenance_pb2_grpc.MaintenanceServicer):
    """Answers `ipamctl check`, `repair` and `bundle`."""

    def __init__(
        self,
        *,
        book: SharedLedger,
        check: Check,
        problems: NodeProblems,
        repair: RepairLoop,
        snapshot: Callable[[], Snapshot],
    ) -> None:
        """Take who looks, who mends, and what shows the kernel."""
        self._book = book
        self._check = check
        self._problems = problems
        self._repair = repair
        self._snapshot = snapshot

    def Check(  # noqa: N802 - the name in the contract
        self,
        request: messages.CheckRequest,  # noqa: ARG002 - the signature in the contract
        context: grpc.ServicerContext,  # noqa: ARG002 - the signature in the contract
    ) -> messages.Findings:
        """Compare every Pod, and say what keeps the node from taking more."""
        return self._findings()

    def Repair(  # noqa: N802 - the name in the contract
        self,
        request: messages.RepairRequest,  # noqa: ARG002 - the signature in the contract
        context: grpc.ServicerContext,
    ) -> messages.Findings:
        """Have a round made, then compare."""
        seconds = min(_MOST_SECONDS, context.time_remaining())
        if not self._repair.round_now(Deadline.after(seconds, time.monotonic)):
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the round has begun and takes longer")
        return self._findings()

    def DumpKernel(  # noqa: N802 - the name in the contract
        self,
        request: messages.DumpKernelRequest,  # noqa: ARG002 - the signature in the contract
        context: grpc.ServicerContext,
    ) -> messages.KernelDump:
        """Show what is ours in the kernel."""
        try:
            snapshot, table, guard = self._snapshot(), nft_table.listed(), ipv6_guard.listed()
        except IpamError as e:
            context.abort(grpc.StatusCode.INTERNAL, str(e))
        shown = dataclasses.asdict(snapshot)
        return messages.KernelDump(
            snapshot=json.dumps(shown, indent=1, default=sorted),
            nft=json.dumps(table, indent=1),
            nft_ip6=json.dumps(guard, indent=1),
        )

    def _findings(self) -> messages.Findings:
        pods = [a for a in self._book.ledger.in_state(Assigned) if a.pod is not None]
        problems = list(self._problems.problems())
        for address in sorted(pods, key=lambda a: str(a.pod)):
            problems += (f"Pod {address.pod}: {text}" for text in self._check.look(address))
        return messages.Findings(pods=len(pods), problems=problems)
