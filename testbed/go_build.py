"""Programs of other projects, built from the Go module proxy once for each release and kept for later.

A folder with a `go.mod` names the release, its `go.sum` pins every byte. One `go build` makes all programs of
a release, so that the packages they share are compiled once.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(os.environ.get("TKE_ENI_CACHE") or "~/.cache/tke-eni").expanduser()
"""Where programs and images are kept that take long to make."""


class MissingProgramError(RuntimeError):
    """A program is nowhere; the message says what makes it."""


def required_version(module: Path, dependency: str) -> str:
    """Give the version of a module that the go.mod in the folder `module` requires; ValueError if none."""
    text = (module / "go.mod").read_text()
    found = re.search(rf"^(?:require|\t)\s*{re.escape(dependency)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{module}/go.mod does not require {dependency}")
    return found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoBuild:
    """Programs of one release of one project."""

    title: str
    """For people."""
    module: Path
    """Folder of go.mod."""
    directory: Path
    """Where the programs are kept; its name tells the release."""
    packages: Mapping[str, str]
    """Import path of each program by the program's name, which is the path's last part."""
    tests: Mapping[str, str] = field(default_factory=dict)
    """The same for programs that `go test -c` makes; their names are free."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """String variables that the linker sets."""
    tags: str = ""
    linker: tuple[str, ...] = ()
    """Further flags of the linker."""
    target: str
    """The target of the Makefile that builds them."""

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of all programs."""
        return (*self.packages, *self.tests)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return all((self.directory / name).exists() for name in self.programs)

    def path(self, program: str) -> Path:
        """Give where a program is; MissingProgramError before it is built."""
        path = self.directory / program
        if not path.exists():
            raise MissingProgramError(f"{path} is missing: run `make {self.target}`")
        return path

    def main(self) -> int:
        """Build what is missing; 1 with a reason on stderr when that is not possible."""
        if not self.is_complete:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            with (self.directory.parent / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self.is_complete:
                    return self._build()
        print(f"{self.title}: {self.directory}")
        return 0

    def _build(self) -> int:
        go, least = shutil.which("go"), self._least_go()
        if go is None or _version(go) < least:
            found = f"{go} is {_dotted(_version(go))}" if go else "there is no go in PATH"
            print(f"Go {_dotted(least)} or newer is needed to build {self.title}: {found}", file=sys.stderr)
            return 1
        print(f"building {self.title} into {self.directory} (minutes on the first run)", flush=True)
        began = time.monotonic()
        partial = Path(tempfile.mkdtemp(prefix=f".{self.directory.name}-", dir=self.directory.parent))
        try:
            partial.chmod(0o755)
            for command in self._commands(go, partial):
                if subprocess.run(command, cwd=self.module, env=_environment(), check=False).returncode != 0:
                    print(f"go build of {self.title} failed, see above", file=sys.stderr)
                    return 1
            shutil.rmtree(self.directory, ignore_errors=True)
            partial.rename(self.directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        print(f"{self.title}: {self.directory} (built in {time.monotonic() - began:.0f} s)")
        return 0

    def _commands(self, go: str, output: Path) -> list[list[str]]:
        settings = [f"-X {name}={value}" for name, value in self.variables.items()]
        options = ["-tags", self.tags, "-ldflags", " ".join(["-s", "-w", *self.linker, *settings])]
        commands = [
            [go, "test", "-c", "-vet=off", *options, "-o", f"{output}/{name}", package]
            for name, package in self.tests.items()
        ]
        if self.packages:
            commands.append([go, "build", *options, "-o", f"{output}/", *self.packages.values()])
        return commands

    def _least_go(self) -> tuple[int, ...]:
        named = re.search(r"^go ([\d.]+)$", (self.module / "go.mod").read_text(), re.MULTILINE)
        return tuple(int(part) for part in named[1].split(".")) if named else (0,)


def _version(go: str) -> tuple[int, ...]:
    shown = subprocess.run([go, "env", "GOVERSION"], check=True, capture_output=True, text=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", shown.split("-")[0]))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _environment() -> dict[str, str]:
    # Static programs: they run in any root file system. The installed Go is new enough, so none is fetched.
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
    }
