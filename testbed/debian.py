"""Programs out of Debian packages that are unpacked and not installed: so no service of theirs is started.

Kept beside what is built from sources (`testbed.go_build.CACHE`), for all checkouts of the machine.
"""

import fcntl
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.go_build import CACHE, MissingProgramError


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedPackage:
    """Some programs of one package."""

    name: str
    programs: tuple[str, ...]
    """Paths within the package."""
    target: str
    """The target of the Makefile that gets them."""
    architecture: str = ""
    """Debian's name of another one than the machine's."""

    @property
    def directory(self) -> Path:
        """Where the programs are kept."""
        return CACHE / "debian" / "-".join(filter(None, (self.name, self.architecture)))

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return all((self.directory / Path(program).name).exists() for program in self.programs)

    def path(self, program: str) -> Path:
        """Give where a program is; MissingProgramError before the package is unpacked."""
        path = self.directory / program
        if not path.exists():
            raise MissingProgramError(f"{path} is missing: run `make {self.target}`")
        return path

    def main(self) -> int:
        """Get what is missing; 1 with a reason on stderr when that is not possible."""
        if not self.is_complete:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            with (self.directory.parent / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self.is_complete:
                    return self._unpack()
        print(f"{self.name}: {self.directory}")
        return 0

    def _unpack(self) -> int:
        print(f"unpacking Debian's package {self.name} into {self.directory}", flush=True)
        with tempfile.TemporaryDirectory(prefix=f".{self.name}-", dir=self.directory.parent) as kept:
            partial = Path(kept)
            if not self._get(partial):
                print(f"apt-get download {self.name} failed, see above", file=sys.stderr)
                return 1
            (package,) = partial.glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", package, partial / "files"], check=True)
            chosen = partial / "chosen"
            chosen.mkdir()
            for program in self.programs:
                (partial / "files" / program).rename(chosen / Path(program).name)
            shutil.rmtree(self.directory, ignore_errors=True)
            chosen.rename(self.directory)
        return 0

    def _get(self, directory: Path) -> bool:
        if not self.architecture:
            return self._download(directory) or (_apt_get(directory, "update") and self._download(directory))
        # The machine's own dpkg is not told of that architecture: lists of its own, for this once.
        (directory / "lists").mkdir()
        options = [
            f"APT::Architecture={self.architecture}",
            f"APT::Architectures={self.architecture}",
            f"Dir::State::Lists={directory}/lists",
            f"Dir::Cache={directory}/cache",
        ]
        return _apt_get(directory, "update", options=options) and self._download(directory, options)

    def _download(self, directory: Path, options: Sequence[str] = ()) -> bool:
        return _apt_get(directory, "download", self.name, options=options)


def _apt_get(directory: Path, *arguments: str, options: Sequence[str] = ()) -> bool:
    # Not as apt's own user: it may not look into a home directory.
    always = ("APT::Sandbox::User=root", "DPkg::Lock::Timeout=300")
    chosen = [part for option in (*always, *options) for part in ("-o", option)]
    command = ["apt-get", "-qq", *chosen, *arguments]
    return subprocess.run(command, cwd=directory, check=False, stdout=sys.stderr).returncode == 0
