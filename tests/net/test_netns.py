import os
import signal
import socket
import subprocess
import sys
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

from ipamd.core import errors
from ipamd.net import netns

pytestmark = pytest.mark.netns
SUBJECT = ContextVar("subject", default="")


def refusal(path):
    with pytest.raises(errors.NetnsError) as caught, netns.opened(path):
        pass
    assert "CNI_NETNS" in caught.value.message
    assert caught.value.advice
    return caught.value.message


@pytest.mark.parametrize("path", ["", "x", "../x", "./proc/self/ns/net", "/proc/self/ns/net\0", "/\udcff"])
def test_what_is_no_absolute_path_is_refused(path):
    refusal(path)


def test_a_namespace_that_is_gone_is_named(tmp_path):
    gone = str(tmp_path / "gone")

    assert gone in refusal(gone)


@pytest.mark.parametrize("path", ["/etc/passwd", "/dev/null", "/proc/self/fd", "/"])
def test_other_files_are_refused(path):
    assert "not a namespace" in refusal(path)


def test_a_fifo_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    assert "not a namespace" in refusal(str(tmp_path / "fifo"))


def test_another_kind_of_namespace_is_refused_when_it_is_entered():
    with netns.opened("/proc/self/ns/uts") as namespace, pytest.raises(errors.NetnsError):
        netns.run_inside(namespace, os.getpid)


def test_work_that_fails_leaves_its_thread_where_it_was(bare_world):
    def number():
        return Path("/proc/thread-self/ns/net").stat().st_ino

    def fail():
        inside.append(number())
        raise ValueError("a defect of the test")

    inside: list[int] = []
    before = number()
    with pytest.raises(ValueError, match="a defect"):
        bare_world.node.do(fail)

    assert number() == before
    assert inside != [before]


def test_a_thread_that_cannot_come_back_takes_the_process_with_it(bare_world):
    """Its descriptor of its own namespace is closed under it."""
    program = f"""
import os
from ipamd.net import netns
own = os.stat("/proc/self/ns/net")
def close_own():
    for number in os.listdir("/proc/self/fd"):
        try:
            found = os.fstat(int(number))
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino):
            os.close(int(number))
with netns.opened({bare_world.node.path!r}) as namespace:
    netns.run_inside(namespace, close_own)
print("went on")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ended.returncode == -signal.SIGABRT
    assert ended.stdout == ""
    assert "cannot leave a Pod's namespace" in ended.stderr


def test_the_nodes_own_namespace_is_refused():
    assert "node's own" in refusal("/proc/self/ns/net")
    assert "node's own" in refusal(f"/proc/{os.getppid()}/ns/net")


def test_a_path_of_absurd_length_is_shown_shortened():
    assert len(refusal("/" + "a" * 100_000)) < 600


def test_work_is_done_inside_and_its_result_comes_back(bare_world):
    inside = bare_world.node.do(socket.if_nameindex)

    assert {"eth0", "eth1"} <= {name for _, name in inside}
    assert socket.if_nameindex() != inside


def test_an_error_inside_is_raised_to_the_caller(bare_world):
    with pytest.raises(ZeroDivisionError):
        bare_world.node.do(lambda: 1 // 0)


def test_neither_threads_nor_descriptors_are_left(bare_world):
    before = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        bare_world.node.do(os.getpid)
        with pytest.raises(errors.NetnsError), netns.opened("/etc/passwd"):
            pass

    assert (threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))) == before


def test_work_inside_has_the_context_of_its_caller(bare_world):
    """So that what it logs says which Pod it is about."""
    token = SUBJECT.set("Pod web-0")
    try:
        assert bare_world.node.do(SUBJECT.get) == "Pod web-0"
    finally:
        SUBJECT.reset(token)


def number_here():
    return Path("/proc/thread-self/ns/net").stat().st_ino


def test_many_are_visited_in_turn_and_one_that_fails_keeps_nobody_from_it(world):
    def refuse():
        raise errors.KernelError("could not look", errno=1)

    first, second = world.sandbox(), world.sandbox()
    paths = (first.path, "/run/netns/nobody", first.path, second.path)
    own = number_here()
    before, gone, refused, after = netns.visit(
        zip(paths, (number_here, number_here, refuse, number_here), strict=True)
    )

    assert (before, after) == tuple(netns.number_of(place.path) for place in (first, second))
    assert isinstance(gone, errors.NetnsError)
    assert refused.message == "could not look"
    assert number_here() == own
