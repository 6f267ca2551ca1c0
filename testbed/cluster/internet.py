"""Hosts outside of the region: what they see of a Pod and what they reach of it, by real packets."""

import http.client
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.fabric import netns as namespaces


class Internet:
    """The simulator's internet. Thread-safe: it keeps nothing."""

    def __init__(self, document: Mapping[str, Any], execute: Callable[..., str]) -> None:
        """`document` is "internet" of the ready file; `execute` runs a command in a Pod."""
        self._netns = str(document["netns"])
        self.hosts: Sequence[str] = document["hosts"]
        self._execute = execute

    def source_seen_from(self, namespace: str, pod: str, *, host: str = "") -> str:
        """The source address that a host of the internet sees when the Pod asks it; empty: no answer.

        The Pod's first container needs wget (busybox has it).
        """
        try:
            url = f"http://{host or self.hosts[0]}/"
            # Not wget's own option: it crashes Debian's static busybox.
            limited = ("timeout", "4", "wget")
            return self._execute(namespace, pod, *limited, "-q", "-O", "-", url).strip()
        except AssertionError:
            return ""

    def reaches(self, address: str, port: int, *, seconds: float = 3.0) -> bool:
        """Whether a host of the internet can open a TCP connection to `address`."""
        with namespaces.run_in(self._netns, socket.socket) as client:
            client.settimeout(seconds)
            try:
                client.connect((address, port))
            except OSError:
                return False
            return True

    def get(self, address: str, port: int, path: str = "/", *, seconds: float = 3.0) -> str:
        """What a web server at `address` answers to a host of the internet; empty when it does not answer."""
        client = namespaces.run_in(self._netns, socket.socket)
        client.settimeout(seconds)
        connection = http.client.HTTPConnection(address, port)
        try:
            client.connect((address, port))
            connection.sock = client
            connection.request("GET", path)
            return connection.getresponse().read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            client.close()
