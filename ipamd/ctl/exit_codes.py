"""How `ipamctl` ends, for scripts; documented in docs/ipamctl.md."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What became of a command."""

    OK = 0
    """It did what was asked."""
    PROBLEM = 1
    """It did what was asked, and something is wrong with what it looked at, or is left to do."""
    USAGE = 2
    """A flag or an argument is wrong."""
    NO_AGENT = 3
    """No agent answers on this node, so nothing is known."""
    FAILED = 4
    """It was refused or could not be done, for example because there is no such Pod."""
    INTERRUPTED = 130
    """Ctrl-C, as shells say it: 128 + SIGINT."""
    CLOSED_PIPE = 141
    """Whoever read the output has had enough, as shells say it: 128 + SIGPIPE."""
