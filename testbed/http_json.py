"""JSON over HTTP to the simulator's admin and Kubernetes APIs; one connection for each thread of use."""

import http.client
import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


class HttpError(RuntimeError):
    """An answer other than 2xx; `status` and the decoded `body` say why."""

    def __init__(self, method: str, path: str, status: int, body: Any) -> None:
        super().__init__(f"{method} {path} answered {status}: {json.dumps(body)[:400]}")
        self.status = status
        self.body = body


class JsonEndpoint:
    """One HTTP server by its base URL. Not thread-safe: it keeps one connection."""

    def __init__(self, url: str, *, seconds: float = 30.0) -> None:
        parts = urlsplit(url)
        self.url = url
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=seconds)

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        self._connection.close()

    def get(self, path: str) -> Any:
        """GET."""
        return self.call("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST a JSON object."""
        return self.call("POST", path, body)

    def merge_patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """PATCH with a JSON merge patch."""
        return self.call("PATCH", path, body, content_type="application/merge-patch+json")

    def delete(self, path: str) -> Any:
        """DELETE."""
        return self.call("DELETE", path)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
    ) -> Any:
        """Send one request and decode the answer; HttpError unless the status is 2xx."""
        payload = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, payload, {"Content-Type": content_type})
        response = self._connection.getresponse()
        raw = response.read()
        try:
            decoded = json.loads(raw) if raw else None
        except ValueError:
            decoded = raw.decode(errors="replace")
        if not 200 <= response.status < 300:
            raise HttpError(method, path, response.status, decoded)
        return decoded


class ThreadEndpoints:
    """One server for many threads: a `JsonEndpoint` for each of them. Thread-safe; `close` ends them all."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: list[JsonEndpoint] = []

    def mine(self) -> JsonEndpoint:
        """Give the calling thread's own."""
        if not hasattr(self._local, "endpoint"):
            self._local.endpoint = JsonEndpoint(self._url)
            with self._lock:
                self._all.append(self._local.endpoint)
        endpoint: JsonEndpoint = self._local.endpoint
        return endpoint

    def close(self) -> None:
        """Close the connections of all threads; a thread that goes on opens a new one."""
        with self._lock:
            for endpoint in self._all:
                endpoint.close()
