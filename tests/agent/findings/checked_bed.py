"""A node of which `ipamctl check` has to say one thing for each fault; what it says is kept for the table."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc

from ipamd.core.findings.code_facts import Severity
from ipamd.core.findings.codes import code_of
from ipamd.ctl import plain
from ipamd.rpc import maintenance_pb2
from ipamd.rpc.maintenance_pb2_grpc import MaintenanceStub
from tests.agent.conftest import AgentBed
from tests.agent.findings.faults import FAULTS

ROWS: list[dict[str, str]] = []
"""What was said of the faults of the test that runs; `conftest` takes it for the table."""
_PROBLEMS = ("error", "warning")
NO_AGENT = 3


class CheckedBed(AgentBed):
    """A bed whose agent is asked by `ipamctl check`."""

    conf: Path | None = None
    """The network configuration, if the agent keeps one."""

    def check(self, *flags):
        argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(self.socket), "check", "-o", "json"]
        done = subprocess.run([*argv, *flags], capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def looked(self):
        """What the agent tells `ipamctl check`, and how that would end.

        Asked in this process, for tests that wait: to start ipamctl costs a third of a second of CPU. Where
        nobody answers ipamctl has to say so.
        """
        request = maintenance_pb2.CheckRequest()
        try:
            found = self.ask(lambda channel: MaintenanceStub(channel).Check(request, timeout=10))
        except grpc.RpcError:
            return self.check()
        return int(bool(found.problems)), plain.from_message(found)

    def problems(self):
        return [f for f in self.check()[1]["findings"] if f["severity"] in _PROBLEMS]

    def is_well(self):
        exit_code, answer = self.looked()
        return exit_code == 0 and not answer["problems"]

    def only_finding(self, fault, code, *, since, exit_code=1, seconds=20.0, if_mended=lambda: None):
        """Return what `check` says once it says one thing, of this code and with this exit code.

        `since` is when the fault was provoked, by the monotonic clock; `if_mended` provokes it again.
        """
        assert fault in FAULTS
        said: Any = None
        while time.monotonic() < since + seconds:
            said = self.looked()
            if _only(said, code, exit_code) is not None:
                said = self.check()
            finding = _only(said, code, exit_code)
            if finding is not None:
                self._told(fault, finding, time.monotonic() - since)
                return finding
            if said[0] == 0 and not said[1]["problems"]:
                if_mended()
            time.sleep(0.05)
        raise AssertionError(f"{fault}: not {code} alone with exit code {exit_code}, but {said}")

    def _told(self, fault, finding, seconds):
        assert finding["nextStep"]
        assert finding["severity"] == code_of(finding["code"]).facts.severity.value
        words = finding["text"].replace(str(self._run_directory), "/run/tke-eni")
        if self.conf is not None:
            words = words.replace(str(self.conf.parent), "/etc/cni/net.d")
        ROWS.append({"fault": fault, "seconds": f"{seconds:.1f}", "code": finding["code"], "words": words})


def _only(said, code, exit_code):
    """Return the finding of this code if there is no other problem and this exit code; else None."""
    found, answer = said
    problems = [f for f in answer["findings"] if f["severity"] in _PROBLEMS]
    facts = [f for f in answer["findings"] if f["severity"] == "info" and f["code"] == code]
    if found != exit_code:
        return None
    if code_of(code).facts.severity is Severity.INFO:
        return facts[0] if not problems and len(facts) == 1 else None
    return problems[0] if [f["code"] for f in problems] == [code] else None
