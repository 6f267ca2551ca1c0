"""ipamctl beside an agent that starts: how far it is, or where the last one has ended."""

from ipamd import boot
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
