"""Tokens from files and from programs: when they are read again, and what is said when they are wrong."""

import functools
import json
import logging
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.credentials import TokenFile
from ipamd.kube.exec_plugin import ExecPlugin, ExecToken
from ipamd.kube.resources import NODES
from tests.testkit.clock import Clock

SECRET = "S3CRET-that-nobody-may-see"
NO_TOKENS = [None, b"", b"\xff", f"{SECRET}\n{SECRET}".encode(), SECRET.encode() + b"\x00"]
"""What a file may hold in place of a token; None: there is no file."""
V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


def test_a_file_is_trimmed_and_read_again_after_a_minute(file, clock):
    token = TokenFile(file, "the token", monotonic=clock)
    assert token() == "Bearer first"
    file.write_text(" second \n")

    clock.now += 59
    assert token() == "Bearer first"
    clock.now += 2
    assert token() == "Bearer second"


def test_a_refusal_has_the_file_read_before_the_next_request(file, clock):
    token = TokenFile(file, "the token", monotonic=clock)
    token()
    file.write_text("second")

    token.refused()

    assert token() == "Bearer second"


@pytest.mark.parametrize("content", NO_TOKENS)
def test_a_file_that_turns_wrong_is_named_and_the_token_before_is_used_on(file, clock, caplog, content):
    token = TokenFile(file, f"users[0].tokenFile ({file})", monotonic=clock)
    token()
    spoil(file, content)

    for _ in range(3):
        clock.now += 61
        assert token() == "Bearer first"

    (record,) = caplog.records
    assert f"users[0].tokenFile ({file})" in record.getMessage()
    assert SECRET not in caplog.text
    file.write_text("second")
    clock.now += 61
    assert token() == "Bearer second"


@pytest.mark.parametrize("content", NO_TOKENS)
def test_a_file_that_was_never_right_stops_the_request_and_is_named(file, serve, caplog, content):
    caplog.set_level(logging.DEBUG)
    spoil(file, content)
    server = serve(never)
    client = KubeClient(Connection(server=server.url, authorization=TokenFile(file, f"tokenFile {file}")))

    with pytest.raises(errors.ForbiddenError) as raised:
        client.get(NODES, "node-a")
    client.close()

    assert str(file) in str(raised.value)
    assert SECRET not in str(raised.value) + caplog.text
    assert server.requests == []


def test_whatever_a_header_does_not_take_is_not_sent_and_not_shown(serve, caplog):
    caplog.set_level(logging.DEBUG)
    server = serve(never)
    for value in (f"Bearer {SECRET}\n", f"Bearer {SECRET}\r\nX: y", f"Bearer {SECRET}\u20ac"):
        client = KubeClient(Connection(server=server.url, authorization=functools.partial(str, value)))
        with pytest.raises(errors.ForbiddenError, match="Authorization") as raised:
            client.get(NODES, "node-a")
        assert SECRET not in str(raised.value) + caplog.text
        client.close()
    assert server.requests == []


def spoil(file, content):
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


def never(request, sock):
    raise AssertionError("nothing is to be sent")


@pytest.fixture
def plugged(tmp_path, clock):
    """Returns what makes the token of a plug-in with this shell script."""

    def plugged(script, **changes):
        path = tmp_path / "plugin"
        path.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        plugin = ExecPlugin(
            title=f'users["me"].exec (plug-in {path})', command=(str(path), "arg"), version=V1, **changes
        )
        return ExecToken(plugin, wall=clock, monotonic=clock, patience=5.0)

    return plugged


@pytest.fixture
def runs(tmp_path):
    """Returns how often a plug-in was run."""
    return lambda: len((tmp_path / "runs").read_text().splitlines())


def credential(**status):
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


def test_a_plug_in_gives_a_token_until_it_expires(plugged, clock, runs):
    token = plugged(f"echo '{credential(token='t', expirationTimestamp='1970-01-01T00:20:00Z')}'")

    assert token() == "Bearer t"
    clock.now = 1199.0
    assert token() == "Bearer t"
    assert runs() == 1
    clock.now = 1200.0
    assert token() == "Bearer t"
    assert runs() == 2


def test_a_refused_token_is_replaced_though_it_never_expires(plugged, clock, runs):
    token = plugged(f"echo '{credential(token='t')}'")
    token()
    token.refused()
    token()
    assert runs() == 1  # it has just been run
    clock.now += 11

    token()
    token()

    assert runs() == 2


def test_a_plug_in_is_told_of_the_cluster_and_has_its_environment(plugged):
    script = "\n".join(
        [
            'test "$1 $EXTRA" = "arg x" || exit 3',
            """echo "$KUBERNETES_EXEC_INFO" | grep -q '"server": "https://192.0.2.2"' || exit 4""",
            f"echo '{credential(token='t')}'",
        ]
    )
    token = plugged(script, environment={"EXTRA": "x"}, cluster={"server": "https://192.0.2.2"})

    assert token() == "Bearer t"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"echo 'login failed for token={SECRET}' >&2; exit 7", "ended with 7 and said 'login failed"),
        ("echo nonsense", "printed no JSON"),
        ("echo '[]'", "printed no ExecCredential"),
        (f"echo '{credential(token=SECRET)}' | sed s/v1/v2/", "printed another apiVersion"),
        (f"echo '{credential()}'", "gave no token"),
        (f"echo '{credential(token=SECRET + ' ' + SECRET)}'", "is no bearer token"),
        (f"echo '{credential(token=SECRET, expirationTimestamp='soon')}'", "is no time"),
        (f"echo '{credential(clientCertificateData=SECRET, clientKeyData=SECRET)}'", "only a token is taken"),
    ],
)
def test_a_plug_in_that_fails_is_named_and_nothing_is_sent(plugged, serve, clock, runs, caplog, script, why):
    caplog.set_level(logging.DEBUG)
    server = serve(never)
    token = plugged(script)
    client = KubeClient(Connection(server=server.url, authorization=token, refused=token.refused))

    for _ in range(3):
        with pytest.raises(errors.ForbiddenError) as raised:
            client.get(NODES, "node-a")
        assert "plugin" in str(raised.value)
        assert why in str(raised.value)
        assert SECRET not in str(raised.value) + caplog.text
    assert runs() == 1
    clock.now += 11
    with pytest.raises(errors.ForbiddenError):
        client.get(NODES, "node-a")
    client.close()

    assert runs() == 2
    assert server.requests == []


def test_a_plug_in_that_vanished_or_hangs_is_named(clock):
    def token(*command):
        plugin = ExecPlugin(title="exec (plug-in p)", command=command, version=V1, hint="get p\nthere")
        return ExecToken(plugin, monotonic=clock, patience=0.2)

    with pytest.raises(
        errors.ForbiddenError, match=r"plug-in p.* cannot be run: No such file.*; get p there"
    ):
        token("/no/such")()
    with pytest.raises(errors.ForbiddenError, match=r"plug-in p.* did not end in 0.2 s"):
        token("sleep", "60")()


def test_what_a_hanging_plug_in_has_started_holds_nobody_up(tmp_path, clock):
    pid = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {pid}; exec sleep 60' & until [ -s {pid} ]; do :; done; sleep 60"
    token = ExecToken(
        ExecPlugin(title="plug-in p", command=("sh", "-c", script), version=V1), monotonic=clock, patience=3.0
    )
    begun = time.monotonic()

    try:
        with pytest.raises(errors.ForbiddenError, match="did not end in 3 s"):
            token()
        assert time.monotonic() - begun < 40
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_file_without_end_is_no_token():
    with pytest.raises(errors.ForbiddenError, match="the token is no bearer token"):
        TokenFile(Path("/dev/zero"), "the token")()


def test_a_401_has_the_credential_renewed(file, clock, serve):
    seen = []

    def answer(request, sock):
        seen.append(request.headers["authorization"])
        sock.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        return True

    token = TokenFile(file, "the token", monotonic=clock)
    client = KubeClient(Connection(server=serve(answer).url, authorization=token, refused=token.refused))
    for content in ("first", "second"):
        file.write_text(content)
        with pytest.raises(errors.ForbiddenError):
            client.get(NODES, "node-a")
    client.close()

    assert seen == ["Bearer first", "Bearer second"]
