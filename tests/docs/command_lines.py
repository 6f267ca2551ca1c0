"""Command lines as pages show them: in blocks of the kind `console`, behind `$` or `#`, and inline."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:ipamctl|kubectl eni|ipamd) [^`]+)`")
PROMPT = re.compile(r"^ *[$#] (.*)$")
PROGRAMS = ("kubectl ", "ipamctl ", "ipamd ", "make ", "python ")
"""What a line without a prompt begins with, if it is no output."""
COMMENT = re.compile(r"\s{2,}#.*$")


@dataclass(frozen=True)
class Line:
    """One command line of a page."""

    page: Path
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command of a pipeline or list, without redirections and variables."""
        bare = re.sub(r"\d?>>?\s*\S+|<\([^)]*\)|\$\([^)]*\)", "", COMMENT.sub("", self.text))
        parts = (
            re.split(r"\|\||&&|[|;]", bare)
            if "'" not in bare and '"' not in bare
            else [bare.partition(" | ")[0]]
        )
        found = []
        for part in parts:
            words = shlex.split(part)
            while words and "=" in words[0] and not words[0].startswith("-"):
                words.pop(0)
            if words:
                found.append(words)
        return found


def of_blocks(page: Path) -> Iterator[Line]:
    """Yield what a reader would copy from the page's blocks; output and comments are left out."""
    for block in BLOCK.findall(page.read_text()):
        lines = re.sub(r"\\\n\s*", "", block).splitlines()  # a backslash joins two
        prompted = [m.group(1) for line in lines if (m := PROMPT.match(line))]
        plain = [] if prompted else [line.strip() for line in lines if line.startswith(PROGRAMS)]
        for text in (*prompted, *plain):
            yield Line(page, text)


def of_sentences(page: Path) -> Iterator[Line]:
    """Yield commands of ours that the page names between its words."""
    for text in INLINE.findall(page.read_text()):
        yield Line(page, " ".join(text.split()))
