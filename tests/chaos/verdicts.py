"""What must not be, as it was found: leaked, stolen, duplicate, unmended. Thread-safe."""

import logging
import re
import threading

KINDS = ("leaked", "stolen", "duplicate", "unmended")
_IDS = re.compile(r"\b(?:eip|eni)-[0-9a-z]{8}\b")
log = logging.getLogger(__name__)


class Verdicts:
    """The findings of one run. Invariant: each sentence is counted once."""

    def __init__(self, writes_about=lambda _: ""):
        """Take what tells of the cloud's last writes about EIPs and ENIs, by their ids."""
        self._writes_about = writes_about
        self._guard = threading.Lock()
        self._found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}

    def leaked(self, what):
        """Something that costs money or room is left and nobody will ever take it away."""
        self._find("leaked", what)

    def stolen(self, what):
        """Somebody lost what is theirs."""
        self._find("stolen", what)

    def duplicate(self, what):
        """Two have what only one may have, or one has it twice."""
        self._find("duplicate", what)

    def unmended(self, what):
        """Something that was broken did not come right again."""
        self._find("unmended", what)

    def counts(self):
        with self._guard:
            return {kind: len(found) for kind, found in self._found.items()}

    def sentences(self):
        with self._guard:
            return [
                f"{kind}: {what}{said}" for kind, found in self._found.items() for what, said in found.items()
            ]

    def _find(self, kind, what):
        with self._guard:
            if what in self._found[kind]:
                return
            self._found[kind][what] = ""
        ids = set(_IDS.findall(what))
        said = self._writes_about(ids) if ids else ""
        with self._guard:
            self._found[kind][what] = said
        log.error("%s: %s%s", kind, what, said)
