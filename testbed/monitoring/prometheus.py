"""A real Prometheus on loopback, what it answers, and a way for it to pages inside a network namespace."""

import contextlib
import http.server
import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from testbed import monitoring

Series = tuple[dict[str, str], list[tuple[float, float]]]
"""Labels, and values with their times."""


class Relay:
    """A page inside a network namespace, at a loopback address of the machine; asked for anew each time."""

    def __init__(self, netns: str, url: str) -> None:
        command = ["ip", "netns", "exec", netns, "curl", "-sS", "-m", "5", url]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = subprocess.run(command, check=False, capture_output=True).stdout
                with contextlib.suppress(BrokenPipeError):  # who asked has waited long enough
                    self.send_response(200 if page else 502)
                    self.send_header("Content-Type", "text/plain; version=0.0.4")
                    self.end_headers()
                    self.wfile.write(page)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
                del format, args

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()


class Prometheus:
    """Scrapes once a second. Invariant: its process lives from `__enter__` to `__exit__`."""

    def __init__(self, directory: Path, targets: Mapping[str, Mapping[str, str]]) -> None:
        """Take the addresses to scrape, each with the labels that a PodMonitor would make."""
        self._directory = directory
        jobs = [
            {"job_name": labels["job"], "static_configs": [{"targets": [address], "labels": dict(labels)}]}
            for address, labels in targets.items()
        ]
        every = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        self._config = directory / "prometheus.yaml"
        self._config.write_text(yaml.safe_dump({"global": every, "scrape_configs": jobs}))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._address = f"127.0.0.1:{free.getsockname()[1]}"

    def __enter__(self) -> Self:
        log = (self._directory / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                monitoring.PROMETHEUS.path("prometheus"),
                f"--config.file={self._config}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                f"--web.listen-address={self._address}",
            ],
            stdout=log,
            stderr=log,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(20)

    def over(self, query: str, seconds: float) -> list[Series]:
        """Return what a query was over the last so many seconds."""
        now = time.time()
        found = self._ask("query_range", query=query, start=now - seconds, end=now, step=1)
        return [
            (each["metric"], [(float(at) - now + seconds, float(value)) for at, value in each["values"]])
            for each in found
        ]

    def now(self, query: str) -> float | None:
        """Return the only value of a query now, None for none."""
        found = self._ask("query", query=query)
        return float(found[0]["value"][1]) if found else None

    def _ask(self, what: str, **parameters: object) -> list[dict[str, Any]]:
        url = f"http://{self._address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as e:
            with e:
                raise RuntimeError(f"{parameters['query']}: {e.read().decode()}") from e
        return result
