"""A bare HTTP client of one API server, and the objects that the contract tests write.

It shows answers as they are on the wire: no client library's own reading of them protects the tests.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import kubernetes
import urllib3

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
CLAIM_GROUP = "networking.tke.cloud.tencent.com"
DEADLINE = 30.0
Obj = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer: status and JSON (or text)."""

    code: int
    body: Any
    headers: Any = None

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def failure(self) -> tuple[int, str, str]:
        """Code, reason and message of a failure Status."""
        assert self.body["kind"] == "Status", self.body
        assert self.body["apiVersion"] == "v1"
        assert self.body["status"] == "Failure"
        assert self.body["code"] == self.code
        return self.code, self.body.get("reason", ""), self.body["message"]

    @property
    def causes(self) -> list[tuple[str, str, str]]:
        """(field, reason, message) of each different cause of an Invalid answer."""
        listed = self.body["details"]["causes"]
        found = [(cause.get("field", ""), cause.get("reason", ""), cause["message"]) for cause in listed]
        return list(dict.fromkeys(found))

    @property
    def names(self) -> list[str]:
        """Names of the items of a list."""
        return [item["metadata"]["name"] for item in self.body["items"]]


class Events:
    """A running watch, read one event at a time."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._lines = _lines(response)

    def next(self) -> tuple[str, Obj]:
        """Return type and object of the next event but bookmarks; fails if the stream ends or stalls."""
        while True:
            event = json.loads(next(self._lines))
            if event["type"] != "BOOKMARK":
                return event["type"], event["object"]

    def until(self, version: str) -> list[tuple[str, Obj]]:
        """Return the events up to a bookmark of at least this version."""
        events: list[tuple[str, Obj]] = []
        while True:
            event = json.loads(next(self._lines))
            if event["type"] != "BOOKMARK":
                events.append((event["type"], event["object"]))
            elif int(event["object"]["metadata"]["resourceVersion"]) >= int(version):
                return events

    def rest(self) -> list[tuple[str, Obj]]:
        """Return all events, bookmarks too, until the server ends the stream."""
        events = [json.loads(line) for line in self._lines]
        return [(event["type"], event["object"]) for event in events]


class Endpoint:
    """One API server, as one user."""

    def __init__(self, configuration: kubernetes.client.Configuration, *, agent: str = "") -> None:
        self.configuration = configuration
        self._agent = agent
        self.client = kubernetes.client.ApiClient(configuration)
        self._pool: urllib3.PoolManager = self.client.rest_client.pool_manager

    def close(self) -> None:
        self._pool.clear()
        self.client.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: str = "application/json",
        timeout: float = DEADLINE,
        **query: Any,
    ) -> Reply:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        answer = self._request(method, path, query, content, data, timeout=timeout)
        text = answer.data.decode()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return Reply(answer.status, json.loads(text) if is_json else text, answer.headers)

    def get(self, path: str, **query: Any) -> Reply:
        return self.call("GET", path, **query)

    def create(self, path: str, body: Any, **query: Any) -> Reply:
        return self.call("POST", path, body, **query)

    def replace(self, path: str, body: Any, **query: Any) -> Reply:
        return self.call("PUT", path, body, **query)

    def patch(self, path: str, body: Any, content: str = MERGE, **query: Any) -> Reply:
        return self.call("PATCH", path, body, content=content, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Reply:
        return self.call("DELETE", path, body, **query)

    @contextmanager
    def watch(self, path: str, *, timeout: float = DEADLINE, **query: Any) -> Iterator[Events]:
        """Run a watch; a silence of more than `timeout` seconds is an error."""
        query = {"watch": "true", **query}
        answer = self._request("GET", path, query, "", None, preload_content=False, timeout=timeout)
        try:
            assert answer.status == 200, answer.data
            yield Events(answer)
        finally:
            answer.close()
            answer.release_conn()

    def _request(
        self, method: str, path: str, query: Obj, content: str, data: bytes | None, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json"}
        if self._agent:
            headers["User-Agent"] = self._agent
        if content:
            headers["Content-Type"] = content
        self.client.update_params_for_auth(headers, [], ["BearerToken"], path, method, data)
        target = self.configuration.host + path + ("?" + urlencode(query) if query else "")
        return self._pool.request(method, target, body=data, headers=headers, retries=False, **options)


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    buffer = b""
    for chunk in response.stream(None):
        buffer += chunk
        *lines, buffer = buffer.split(b"\n")
        yield from lines


def owner(obj: Obj, **extra: Any) -> Obj:
    """Make an owner reference to an object."""
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        **extra,
    }
