"""ipamctl beside an agent that starts: how far it is, or where the last one has ended."""

import json

from ipamd import boot
from ipamd.core.findings.codes import FindingCode
from ipamd.core.start_progress import StartProgress, StartStep
from ipamd.ctl.exit_codes import ExitCode
from ipamd.start_file import StartFile


def test_an_agent_that_starts_says_how_far_it_is(lonely):
    file = StartFile(lonely.socket)
    file.write(StartProgress(step=StartStep.IDENTITY, since=boot.clock(), waits_for="the metadata service"))

    done = lonely("status")
    file.remove()

    assert done.returncode == ExitCode.NO_AGENT
    (line,) = done.stderr.splitlines()
    assert f"the agent at {lonely.socket} does not serve yet: starting, step 2 of 5 for " in line
    assert line.endswith("it waits for: the metadata service")


def test_an_agent_that_ended_while_it_started_is_told_from_one_that_never_was(lonely):
    file = StartFile(lonely.socket)
    file.write(StartProgress(step=StartStep.STORE, since=boot.clock()))
    file._close()

    done = lonely("status")

    assert done.returncode == ExitCode.NO_AGENT
    assert "the last agent has ended while starting, step 1 of 5" in done.stderr


def findings(done):
    return json.loads(done.stdout)["findings"]


def test_a_check_of_an_agent_that_starts_says_what_it_waits_for_and_what_to_do(lonely):
    file = StartFile(lonely.socket)
    file.write(StartProgress(step=StartStep.WATCHES, since=boot.clock(), waits_for="the API server"))

    done = lonely("check", "-o", "json")
    file.remove()

    assert done.returncode == ExitCode.NO_AGENT
    (finding,) = findings(done)
    assert finding["code"] == "AgentStarting"
    assert "step 3 of 5" in finding["text"]
    assert finding["nextStep"] == FindingCode.API_SERVER_AWAY.facts.next_step


def test_a_check_of_an_agent_that_starts_and_waits_for_nobody_says_to_wait(lonely):
    file = StartFile(lonely.socket)
    file.write(StartProgress(step=StartStep.STORE, since=boot.clock()))

    done = lonely("check", "-o", "json")
    file.remove()

    (finding,) = findings(done)
    assert finding["code"] == "AgentStarting"
    assert finding["nextStep"].startswith("wait")


def test_a_check_of_an_agent_that_ended_while_it_started_says_at_which_step(lonely):
    file = StartFile(lonely.socket)
    file.write(StartProgress(step=StartStep.STORE, since=boot.clock()))
    file._close()

    (finding,) = findings(lonely("check", "-o", "json"))

    assert finding["code"] == "AgentNotRunning"
    assert "ended while starting, step 1 of 5" in finding["text"]
