"""`make kubernetes`: build the programs unless this release is in the cache, and say how long it took.

One `go build` for all of them, so that the packages they share are compiled once: five to six minutes on two
cores with an empty build cache, seconds with a warm one.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from testbed.kubernetes.programs import CACHE, MODULE, PROGRAMS, VERSION

_GO = (1, 24)
"""The oldest Go that builds this release (see go.mod)."""


def main() -> int:
    """Build what is missing; 1 with a reason when that is not possible."""
    if _complete():
        print(f"Kubernetes {VERSION}: {CACHE}")
        return 0
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with (CACHE.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return 0 if _complete() else _build()


def _complete() -> bool:
    return all((CACHE / name).exists() for name in PROGRAMS)


def _build() -> int:
    go = shutil.which("go")
    if go is None or _version(go) < _GO:
        found = f"{go} is {'.'.join(map(str, _version(go)))}" if go else "there is no go in PATH"
        print(
            f"Go {'.'.join(map(str, _GO))} or newer is needed to build Kubernetes: {found}", file=sys.stderr
        )
        return 1
    print(f"building Kubernetes {VERSION} into {CACHE} (minutes on the first run)", flush=True)
    began = time.monotonic()
    partial = Path(tempfile.mkdtemp(prefix=f".{VERSION}-", dir=CACHE.parent))
    try:
        partial.chmod(0o755)
        packages = [f"k8s.io/kubernetes/cmd/{name}" for name in PROGRAMS]
        command = [go, "build", "-ldflags", _link_flags(), "-o", f"{partial}/", *packages]
        if subprocess.run(command, cwd=MODULE, env=_environment(), check=False).returncode != 0:
            print(f"go build of Kubernetes {VERSION} failed, see above", file=sys.stderr)
            return 1
        shutil.rmtree(CACHE, ignore_errors=True)
        partial.rename(CACHE)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(f"Kubernetes {VERSION}: {CACHE} (built in {time.monotonic() - began:.0f} s)")
    return 0


def _version(go: str) -> tuple[int, ...]:
    shown = subprocess.run([go, "env", "GOVERSION"], check=True, capture_output=True, text=True).stdout
    match = re.match(r"go(\d+)\.(\d+)", shown)
    return (int(match[1]), int(match[2])) if match else (0,)


def _environment() -> dict[str, str]:
    # Static programs: they run in any root file system. The installed Go is new enough, so none is fetched.
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
    }


def _link_flags() -> str:
    """Stamp the release into the programs as Kubernetes' own build does: versions decide about behaviour."""
    major, minor, _patch = VERSION.removeprefix("v").split(".")
    stamps = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    settings = [
        f"-X {package}/version.{name}={value}"
        for package in ("k8s.io/client-go/pkg", "k8s.io/component-base")
        for name, value in stamps.items()
    ]
    return " ".join(["-s", "-w", *settings])


if __name__ == "__main__":
    sys.exit(main())
