"""`python -m simulator` as a process of its own, and its admin API as a client sees it."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from simulator.admin import AdminServer
from simulator.cloud import InstanceOrder, Latencies, RegionConfig, loopback_socket
from simulator.region import SimulatedRegion


class Api:
    """JSON over HTTP: `api.get(path)` gives status and document."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body):
        return self.call("POST", path, json.dumps(body))

    def delete(self, path):
        return self.call("DELETE", path)

    def call(self, method, path, body=None):
        parts = urlsplit(self.url)
        with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=10)) as http_:
            http_.request(method, path, body)
            answer = http_.getresponse()
            return answer.status, json.loads(answer.read())


class Simulator:
    """A running process; `document` is its ready file."""

    def __init__(self, process: subprocess.Popen[str], ready: Path) -> None:
        self.process = process
        self.ready = ready
        deadline = time.monotonic() + 30
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self.document = json.loads(ready.read_text()) if ready.exists() else {}
        self.admin = Api(self.document.get("admin", "http://127.0.0.1:1"))


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Simulator]]:
    """Start processes; what still runs at the end of the test is killed."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> Simulator:
            ready = tmp_path / "ready.json"
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "simulator", "--ready-file", str(ready), *arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONWARNINGS": "error"},
                )
            )
            stack.callback(process.kill)
            return Simulator(process, ready)

        yield start


@pytest.fixture
def region() -> Iterator[SimulatedRegion]:
    """A region without packets in this process, with one CVM."""
    config = RegionConfig(
        instances=(InstanceOrder(instance_type="S5.2XLARGE16"),), latencies=Latencies(scale=0.1), seed=1
    )
    with SimulatedRegion(config, packets=False) as region:
        yield region


@pytest.fixture
def admin(region) -> Iterator[Api]:
    with AdminServer(region, [loopback_socket()]) as server:
        yield Api(f"http://{server.endpoint}")
