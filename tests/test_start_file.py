"""The file that says how far a start is: whole at every moment, and known to be of an agent that lives."""

import subprocess
import sys

from ipamd import start_file
from ipamd.core.start_progress import StartProgress, StartStep
from ipamd.start_file import StartFile

PROGRESS = StartProgress(step=StartStep.WATCHES, since=1.0)


def test_a_reader_sees_the_last_step_and_that_its_writer_lives(tmp_path):
    socket = tmp_path / "ipamd.sock"
    file = StartFile(socket)
    for step in StartStep:
        file.write(StartProgress(step=step, since=2.0))

    found = start_file.read(socket)
    assert found is not None
    progress, lives = found
    assert (progress.step, lives) == (StartStep.SOCKET, True)
    assert [path.name for path in tmp_path.iterdir()] == ["ipamd.sock.start"]

    file.remove()
    file.remove()
    assert start_file.read(socket) is None


def test_what_a_process_that_died_has_left_is_not_taken_for_alive(tmp_path):
    socket = tmp_path / "ipamd.sock"
    program = (
        "import os, pathlib; from ipamd.start_file import StartFile; "
        "from ipamd.core.start_progress import StartProgress, StartStep; "
        f"StartFile(pathlib.Path({str(socket)!r})).write(StartProgress(step=StartStep.STORE, since=1.0)); "
        "os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program], check=False)

    found = start_file.read(socket)
    assert found is not None
    progress, lives = found
    assert (progress.step, lives) == (StartStep.STORE, False)


def test_a_damaged_file_says_nothing(tmp_path):
    (tmp_path / "ipamd.sock.start").write_text("{")

    assert start_file.read(tmp_path / "ipamd.sock") is None
