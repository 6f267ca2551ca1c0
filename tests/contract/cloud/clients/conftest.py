"""Clients that are not ours and not of this project's environment: tccli, and a program with the Go SDK.

Both take a minute to install, so these tests are part of `make contract` and not of `make test`. They run
against the same regions as the tests of the folder above.
"""

import dataclasses
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.cloud import endpoints
from tests.contract.cloud.account import Endpoint

HERE = Path(__file__).parent
LOCK = HERE / "tccli.lock"
CACHE = Path(os.environ.get("TKE_ENI_CACHE") or "~/.cache/tke-eni").expanduser()
Seen = dict[str, Any]


@pytest.fixture(scope="module")
def shared_endpoint() -> Iterator[Endpoint]:
    """One region for all tests of a module: each scenario takes back what it makes."""
    with endpoints.under_test() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def go_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program; its modules come from the module proxy, with the hashes of go.sum."""
    go = shutil.which("go")
    assert go, "the Go SDK's contract needs Go 1.22 or newer in PATH"
    binary = tmp_path_factory.mktemp("go") / "contract"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    command = [go, "build", "-o", str(binary), "."]
    built = subprocess.run(
        command, cwd=HERE / "go", env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return binary


@pytest.fixture(scope="module")
def scenario(go_binary: Path, shared_endpoint: Endpoint) -> Callable[[str], Seen]:
    """Runs a scenario of the Go program, once, and gives what it saw."""

    @functools.cache
    def run(name: str) -> Seen:
        access = json.dumps(dataclasses.asdict(shared_endpoint))
        done = subprocess.run(
            [str(go_binary), name], input=access, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        seen: Seen = json.loads(done.stdout)
        return seen

    return run


@pytest.fixture(scope="session")
def tccli_program() -> Path:
    """The program in an environment of its own, by version in the cache; all packages by hash."""
    pinned = re.search(r"^tccli==(\S+)", LOCK.read_text(), re.MULTILINE)
    assert pinned
    home = CACHE / "tccli" / pinned[1]
    if not (home / "ok").exists():
        _install(home)
    return home / "bin" / "tccli"


def _install(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "--no-deps", f"--requirement={LOCK}"], check=True)
    (home / "ok").touch()


class Refused(Exception):  # noqa: N818 - named for what it is
    """The cloud refused a command; `code` is its error code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Tccli:
    """The command line as a person uses it, with a home directory of its own."""

    def __init__(self, program: Path, endpoint: Endpoint, home: Path) -> None:
        self.endpoint = endpoint
        self._program = program
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TENCENTCLOUD_SECRET_ID": endpoint.secret_id,
            "TENCENTCLOUD_SECRET_KEY": endpoint.secret_key,
            "TENCENTCLOUD_REGION": endpoint.region,
        }

    def __call__(self, product: str, action: str, **parameters: object) -> Any:
        """Run a command; parameters are given as their JSON, texts as they are."""
        command = [str(self._program), product, action]
        command += ["--endpoint", f"{self.endpoint.protocol}://{self.endpoint.host}"]
        for name, value in parameters.items():
            command += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            text = done.stdout + done.stderr
            said = re.search(r"code:(\S+)", text)
            assert said, text
            raise Refused(said[1], text)
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def tccli(tccli_program: Path, shared_endpoint: Endpoint) -> Iterator[Tccli]:
    with tempfile.TemporaryDirectory() as home:
        yield Tccli(tccli_program, shared_endpoint, Path(home))
