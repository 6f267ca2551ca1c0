"""`ipamd remove-from-node` as a command: from flags to an exit code."""

import argparse
import sys

from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.flags import declaration
from ipamd.removal import node
from ipamd.removal.options import RemovalSettings


def run(arguments: argparse.Namespace) -> int:
    """Remove; return the exit code."""
    try:
        for sentence in node.remove(declaration.read(RemovalSettings, arguments)):
            print(sentence, flush=True)
    except InvalidInputError as e:
        print(f"ipamd remove-from-node: {e}", file=sys.stderr)
        return 2
    except (IpamError, OSError) as e:
        print(f"ipamd remove-from-node: {e}", file=sys.stderr)
        return 1
    return 0
