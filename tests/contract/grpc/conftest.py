"""A client built with grpc-go; its modules come from the module proxy, with the hashes of go.sum."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.grpc_server.conftest import ServedSocket

HERE = Path(__file__).parent
Call = Callable[..., list[str]]


@pytest.fixture(scope="session")
def go_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of `go/main.go`."""
    go = shutil.which("go")
    assert go, "the contract with grpc-go needs Go 1.24 or newer in PATH"
    binary = tmp_path_factory.mktemp("go") / "client"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    command = [go, "build", "-o", str(binary), "."]
    built = subprocess.run(
        command, cwd=HERE / "go", env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return binary


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedSocket]:
    """Our server, with the methods of its own tests."""
    server = ServedSocket(tmp_path / "sock")
    yield server
    server.close()


@pytest.fixture
def call(go_binary: Path, served: ServedSocket) -> Call:
    """Calls a method and gives a line for each call: code, octets of the answer, message of the status."""

    def run(
        method: str, request: bytes = b"", *, kind: str = "unary", count: int = 1, timeout: str = "20s"
    ) -> list[str]:
        command = [str(go_binary), str(served.path), kind, f"/tke.eni.v1.{method}", str(count)]
        environment = {**os.environ, "CALL_TIMEOUT": timeout}
        done = subprocess.run(
            command, input=request, env=environment, capture_output=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    return run
