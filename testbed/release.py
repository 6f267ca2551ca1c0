"""`python -m testbed.release VERSION`: set the version, and close the section of CHANGELOG.md that is open.

The version stands in ipamd/__init__.py, where setup.cfg and the Makefile read it; what has to spell it out
besides is written here too, and `tests/release` compares all of it.
"""

import argparse
import datetime as dt
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
PLACES: Final[Mapping[str, re.Pattern[str]]] = {
    "ipamd/__init__.py": re.compile(r'(?<=__version__ = ")[^"]+(?=")'),
    "deploy/kustomization.yaml": re.compile(r"(?<=newTag: )\S+"),
    "deploy/chart/Chart.yaml": re.compile(r"(?<=version: &version )\S+"),
    "docs/install.md": re.compile(r"(?<=newTag: )\S+"),
}
"""File -> where in it the version stands, once."""
_UNRELEASED: Final = "## [Unreleased]\n"


class ReleaseError(Exception):
    """The release cannot be made; the message says what is wrong and what to do."""


def versions(root: Path) -> Mapping[str, str]:
    """Return the version that each place has. Raises: ReleaseError for a place that has none or two."""
    found: dict[str, str] = {}
    for name, pattern in PLACES.items():
        here = pattern.findall((root / name).read_text(encoding="utf-8"))
        if len(here) != 1:
            raise ReleaseError(f"{name} names {len(here)} versions; it must name one, as {pattern.pattern}")
        found[name] = here[0]
    return found


def release(root: Path, version: str, day: dt.date) -> None:
    """Write the version into every place, and its heading into CHANGELOG.md.

    Raises:
        ReleaseError: before anything is written.
    """
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"the version is {version!r}; give MAJOR.MINOR.PATCH, for example 0.2.0")
    versions(root)
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    if text.count(_UNRELEASED) != 1:
        raise ReleaseError(f"CHANGELOG.md has no single line {_UNRELEASED.strip()!r}; put it back")
    if f"## [{version}]" in text:
        raise ReleaseError(f"CHANGELOG.md has a section {version} already; choose the next version")
    heading = f"{_UNRELEASED}\n## [{version}] - {day.isoformat()}\n"
    changelog.write_text(text.replace(_UNRELEASED, heading), encoding="utf-8")
    for name, pattern in PLACES.items():
        path = root / name
        path.write_text(pattern.sub(version, path.read_text(encoding="utf-8")), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the release in this checkout; 2 when it cannot be made."""
    parser = argparse.ArgumentParser(prog="make release VERSION=", description="Set the version everywhere.")
    parser.add_argument("version", metavar="MAJOR.MINOR.PATCH")
    options = parser.parse_args(arguments)
    try:
        release(ROOT, options.version, dt.datetime.now(tz=dt.UTC).date())
    except ReleaseError as e:
        print(f"release: {e}", file=sys.stderr)
        return 2
    print(f"{', '.join(PLACES)} and CHANGELOG.md say {options.version} now; RELEASING.md has what follows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
