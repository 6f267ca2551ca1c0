"""Directories whose contents are believed: only root (or who runs the agent) may be able to change them.

Whoever can write to the socket's directory can put a socket of his own in the agent's place; whoever can
write to the queue can delete the sandboxes of others. A file's own mode does not help against that, so the
directory and all above it are looked at, as sshd does with its keys. That is also what stands for a check of
the peer at the socket: gRPC does not show a peer's credentials, but the kernel lets only those connect who
may write to the socket (mode 0600), in a directory where nobody else can exchange it.
"""

import os
import stat
from pathlib import Path

from ipamd.core.errors import InvalidInputError

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def ensure(directory: Path, flag: str) -> None:
    """Make the directory (0700) if there is none; InvalidInputError if somebody else could change it.

    `flag` is what it was named by.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        real = directory.resolve(strict=True)
        for place in (real, *real.parents):
            _check(place, place.stat(), flag, directory)
    except OSError as e:
        raise InvalidInputError(
            f"{flag}: the directory {directory} cannot be used: {e}", advice="name another one, or mend it"
        ) from e


def _check(place: Path, found: os.stat_result, flag: str, wanted: Path) -> None:
    trusted = {0, os.geteuid()}
    name = f"{flag}: {place}" + (f", above {wanted}," if place != wanted else "")
    if not stat.S_ISDIR(found.st_mode):
        raise InvalidInputError(f"{name} is no directory", advice="name a directory")
    if found.st_uid not in trusted:
        raise InvalidInputError(
            f"{name} belongs to user {found.st_uid}",
            advice="it must be root's, because its contents are believed: chown it, or name another one",
        )
    if found.st_mode & _OTHERS and not (found.st_mode & stat.S_ISVTX and place != wanted):
        raise InvalidInputError(
            f"{name} has mode {stat.S_IMODE(found.st_mode):04o}, so others can change it",
            advice="chmod go-w it, or name another one",
        )
