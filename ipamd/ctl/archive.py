"""A bundle as a file: parts of text, each cleaned of secrets, below one folder that has the bundle's name.

Each part stands for itself; one that cannot be had is replaced by the reason, by whoever makes it.
"""

import errno
import io
import os
import sys
import tarfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Final

from ipamd.core.text import redaction
from ipamd.ctl import output
from ipamd.ctl.exit_codes import ExitCode

LARGEST: Final = 4 << 20
"""Characters of a part; of a log its end."""
STDOUT: Final = "-"
"""As the name of a file: standard output."""
_SUFFIXES: Final = (".tar.gz", ".tgz")
_ADVICE: Final = "look through it before you give it away; secrets that were known are taken out"
_SECRETS: Final = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY")
_CUT: Final = "...\n"

Parts = Iterable[tuple[str, str | bytes]]
"""Path below the folder, and text; bytes are a bundle that was cleaned where it was made."""


def name_of(subject: str) -> str:
    """Return the file name of a new bundle of a node or cluster."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return f"tke-eni-{subject}-{stamp}{_SUFFIXES[0]}"


def save(file: str, directory: Path, name: str, parts: Callable[[], Parts], *, program: str) -> int:
    """Write a bundle to `file`, or under its own name into `directory`; return the exit code.

    `name` is a file name of `name_of`. A file that exists is not written over.
    """
    if file == STDOUT:
        return _to_stdout(name, parts, program)
    path = Path(file) if file else directory / name
    try:
        _write_file(path, parts)
    except OSError as e:
        output.say(
            f"the bundle {path} cannot be written: {e.strerror}; give another place with "
            "--file PATH, or --file - for standard output",
            program=program,
        )
        return ExitCode.FAILED
    print(f"{path}: {_ADVICE}")
    return ExitCode.OK


def cut(text: str) -> str:
    """Return the end of a text that is too long for a part."""
    return text if len(text) <= LARGEST else _CUT + text[-LARGEST + len(_CUT) :]


def _to_stdout(name: str, parts: Callable[[], Parts], program: str) -> int:
    if sys.stdout.isatty():
        output.say("the bundle is no text: send it to a file with > bundle.tar.gz", program=program)
        return ExitCode.USAGE
    try:
        _write(sys.stdout.buffer, name, parts())
        sys.stdout.buffer.flush()
    except OSError as e:
        output.say(f"the bundle cannot be written to standard output: {e.strerror}", program=program)
        return ExitCode.FAILED
    output.say(_ADVICE, program=program)
    return ExitCode.OK


def _write_file(path: Path, parts: Callable[[], Parts]) -> None:
    """Write it aside, so that nothing has the name that is not whole. Raises: OSError."""
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    # Others on the machine need not read what is in it.
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            _write(opened, path.name, parts())
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)


def _write(file: IO[bytes], name: str, parts: Parts) -> None:
    known = [os.environ.get(secret, "") for secret in _SECRETS]
    folder = next((name.removesuffix(end) for end in _SUFFIXES if name.endswith(end)), name)
    with tarfile.open(fileobj=file, mode="w|gz") as archive:
        for part, content in parts:
            cleaned = redaction.redacted(content, known).encode() if isinstance(content, str) else content
            _add(archive, f"{folder}/{part}", cleaned)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
    archive.addfile(entry, io.BytesIO(content))
