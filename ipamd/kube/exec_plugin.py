"""Tokens that a program gives: the exec plug-ins of kubeconfigs.

Contract: "client-go credential plugins" of the Kubernetes documentation, client.authentication.k8s.io/v1. A
plug-in is run when a token is needed and there is none that is valid; if it fails, there is no request, and
for a few seconds nobody runs it again. What it prints is a secret, and is not repeated.
Thread safety: any thread may call any method; the plug-in is run by one at a time.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ipamd.core.errors import InvalidInputError
from ipamd.core.text.redaction import redacted
from ipamd.core.timing import timestamps
from ipamd.kube.credentials import token_from
from ipamd.kube.errors import ForbiddenError

log = logging.getLogger(__name__)

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_PAUSE = 10.0
"""Seconds between two runs at least, whether the first failed or its token was refused."""
_PATIENCE = 60.0
"""Seconds that a plug-in may take."""
_SHOWN = 200
"""Characters of what a plug-in complains of that are repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecPlugin:
    """One plug-in as a kubeconfig describes it."""

    title: str
    """How errors call it: the user's field, and the command."""
    command: tuple[str, ...]
    version: str
    """One of VERSIONS."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside that of this process."""
    cluster: Mapping[str, Any] | None = None
    """What it is told of the cluster, None for nothing."""
    interactive: bool = False
    """Whether it may ask the person at the terminal."""
    hint: str = ""
    """How it is installed, in its kubeconfig's words."""


class ExecToken:
    """The token of a plug-in. Invariant: `_token` is valid until `_until`."""

    def __init__(
        self,
        plugin: ExecPlugin,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = _PATIENCE,
    ) -> None:
        """Take the plug-in; `wall` is compared with the time until which a token is valid."""
        self._plugin = plugin
        self._wall = wall
        self._monotonic = monotonic
        self._patience = patience
        self._lock = threading.Lock()
        self._token = ""
        self._until = float("inf")
        self._ran = float("-inf")
        self._failure: InvalidInputError | None = None
        self._refused = False

    def __call__(self) -> str:
        """Return the value of the Authorization header, from a run of the plug-in if needed.

        Raises: ForbiddenError names the plug-in and says why there is no token.
        """
        with self._lock:
            needed = not self._token or self._refused or self._wall() >= self._until
            if needed and self._monotonic() >= self._ran + _PAUSE:
                self._run()
            if self._failure is not None:
                raise ForbiddenError(self._failure.message, advice=self._failure.advice)
            return f"Bearer {self._token}"

    def refused(self) -> None:
        """Run the plug-in again before the next request, unless it has just been run."""
        with self._lock:
            self._refused = True

    def _run(self) -> None:
        self._ran = self._monotonic()
        try:
            self._token, self._until = _credential(self._plugin, _output(self._plugin, self._patience))
            self._failure, self._refused = None, False
        except InvalidInputError as e:
            self._token, self._failure = "", e


def _output(plugin: ExecPlugin, patience: float) -> str:
    """Return what the plug-in prints; errors: InvalidInputError."""
    spec: dict[str, Any] = {"interactive": plugin.interactive}
    if plugin.cluster is not None:
        spec["cluster"] = dict(plugin.cluster)
    info = {"apiVersion": plugin.version, "kind": "ExecCredential", "spec": spec}
    environment = {**os.environ, **plugin.environment, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        process = subprocess.Popen(
            plugin.command,
            env=environment,
            stdin=None if plugin.interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=not plugin.interactive,
        )
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else "its command or env has a character that none takes"
        raise _failed(plugin, f"cannot be run: {why}") from None
    try:
        out, complaints = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        _kill(process, group=not plugin.interactive)
        raise _failed(plugin, f"did not end in {patience:g} s") from None
    if process.returncode != 0:
        lines = complaints.decode("utf-8", "replace").strip().splitlines() or ["nothing"]
        said = redacted(lines[-1], plugin.environment.values())[:_SHOWN]
        raise _failed(plugin, f"ended with {process.returncode} and said {said!r}")
    return out.decode("utf-8", "replace")


def _kill(process: "subprocess.Popen[bytes]", *, group: bool) -> None:
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    for stream in (process.stdout, process.stderr):  # what it has started may live on and hold them open
        if stream is not None:
            stream.close()
    process.wait()


def _credential(plugin: ExecPlugin, text: str) -> tuple[str, float]:
    """Return the token and the Unix time until which it is valid; errors: InvalidInputError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _failed(plugin, "printed no JSON") from None
    status = document.get("status") if isinstance(document, dict) else None
    if not isinstance(status, dict) or document.get("kind") != "ExecCredential":
        raise _failed(plugin, "printed no ExecCredential with a status")
    if document.get("apiVersion") != plugin.version:
        raise _failed(plugin, f"printed another apiVersion than {plugin.version}, which was asked for")
    if status.get("clientCertificateData"):
        raise _failed(plugin, "gave a client certificate; only a token is taken")
    token = status.get("token")
    if not isinstance(token, str):
        raise _failed(plugin, "gave no token")
    until = status.get("expirationTimestamp")
    if until is None:
        return token_from(token, f"the token of {plugin.title}"), float("inf")
    seconds = timestamps.from_text(until) if isinstance(until, str) else None
    if seconds is None:
        raise _failed(plugin, "gave an expirationTimestamp that is no time")
    return token_from(token, f"the token of {plugin.title}"), seconds


def _failed(plugin: ExecPlugin, why: str) -> InvalidInputError:
    hint = " ".join(plugin.hint.split())[:_SHOWN]
    return InvalidInputError(
        f"{plugin.title} {why}",
        advice=hint or "run it by hand, as the user of this process, to see what it needs",
    )


def at_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()
