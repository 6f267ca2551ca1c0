"""The gRPC service `Maintenance`: what an operator has the agent do now, instead of at its next round.

Thread safety: methods run on the server's threads; a repair is carried out by the upkeep's own thread.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Iterable

from ipamd.agent.findings.inspection import Inspection
from ipamd.agent.node.repair_log import RepairLog
from ipamd.agent.node.repair_loop import RepairLoop, RoundEnd
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.errors import IpamError
from ipamd.core.findings.finding import Finding
from ipamd.core.kernel.difference import Difference
from ipamd.core.ledger.states import Assigned
from ipamd.core.timing.deadline import Deadline
from ipamd.grpc_server.call import Call
from ipamd.grpc_server.status import StatusCode
from ipamd.net import ipv6_guard, nft_table
from ipamd.net.model import Snapshot
from ipamd.rpc import maintenance_pb2 as messages

_MOST_SECONDS = 120.0
_CLOUD_GOES_ON = (
    "the cloud has not answered within seconds, so that its part was not compared; the agent goes on with it"
)


class MaintenanceService:
    """Answers `ipamctl check`, `repair` and `bundle`."""

    def __init__(
        self,
        *,
        shared_ledger: SharedLedger,
        inspection: Inspection,
        repair: RepairLoop,
        repair_log: RepairLog,
        snapshot: Callable[[], Snapshot],
    ) -> None:
        """Take who looks, who mends, and what shows the kernel."""
        self._shared_ledger = shared_ledger
        self._inspection = inspection
        self._repair = repair
        self._repair_log = repair_log
        self._snapshot = snapshot

    def Check(  # noqa: N802 - the name in the contract
        self,
        request: messages.CheckRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,  # noqa: ARG002 - the signature in the contract
    ) -> messages.Findings:
        """Say what is wrong, and touch nothing."""
        return self._findings()

    def Repair(  # noqa: N802 - the name in the contract
        self,
        request: messages.RepairRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,
    ) -> messages.Findings:
        """Have a round made, then compare."""
        seconds = min(_MOST_SECONDS, call.time_remaining())
        before = self._repair_log.number
        end = self._repair.round_now(Deadline.after(seconds, time.monotonic))
        if end is RoundEnd.NOTHING:
            call.abort(StatusCode.DEADLINE_EXCEEDED, "the round has begun and takes longer")
        found = self._findings(self._repair_log.since(before))
        if end is RoundEnd.KERNEL:
            found.unfinished.append(_CLOUD_GOES_ON)
        return found

    def DumpKernel(  # noqa: N802 - the name in the contract
        self,
        request: messages.DumpKernelRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,
    ) -> messages.KernelDump:
        """Show what is ours in the kernel."""
        try:
            snapshot, table, guard = self._snapshot(), nft_table.listed(), ipv6_guard.listed()
        except IpamError as e:
            call.abort(StatusCode.INTERNAL, str(e))
        shown = dataclasses.asdict(snapshot)
        return messages.KernelDump(
            snapshot=json.dumps(shown, indent=1, default=sorted),
            nft=json.dumps(table, indent=1),
            nft_ip6=json.dumps(guard, indent=1),
        )

    def _findings(self, repaired: Iterable[Difference] = ()) -> messages.Findings:
        pods = sum(address.pod is not None for address in self._shared_ledger.current.in_state(Assigned))
        findings = self._inspection.findings()
        return messages.Findings(
            pods=pods,
            problems=[str(finding) for finding in findings if finding.is_problem],
            findings=[_message(finding) for finding in findings],
            repaired=[str(difference) for difference in repaired],
        )


def _message(finding: Finding) -> messages.Finding:
    return messages.Finding(
        severity=finding.level.value,
        code=finding.code.text,
        object=finding.subject,
        text=finding.text,
        breaks=finding.broken,
        pods=finding.pods,
        next_step=finding.advice,
        repairable=finding.is_mended,
    )
