"""One connection, with the test as the thread of its socket: what is sent when."""

import socket
import time

import pytest

from ipamd.grpc_server import frames
from ipamd.grpc_server.peer import Peer
from tests.grpc_server.peer import ends, received, request

CHECK = "/tke.eni.v1.Cni/Check"


class LookOut:
    """What a connection asks of who watches its socket."""

    def __init__(self):
        self.due = []

    def look_at(self, at):
        self.due.append(at)

    def watch_writing(self, descriptor, *, wanted):
        raise AssertionError("the socket takes everything")

    def note_end(self):
        pass


@pytest.fixture
def look_out():
    return LookOut()


@pytest.fixture
def ends_of_a_connection(served, look_out):
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    theirs.settimeout(5)
    peer = Peer(ours, served.server.methods, look_out)
    with theirs:
        yield peer, theirs
        peer.close()


def begun(served, peer, theirs):
    """Have a call under way whose request came with the preface."""
    theirs.sendall(frames.PREFACE + frames.settings_frame({}) + request(1, CHECK))
    assert peer.receive()
    assert served.verbs.began.acquire(timeout=5)


def test_the_first_settings_come_with_the_first_answer(served, ends_of_a_connection):
    """A peer that has sent its request with its preface is woken once."""
    peer, theirs = ends_of_a_connection
    begun(served, peer, theirs)

    theirs.settimeout(0)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
    theirs.settimeout(5)
    served.verbs.released.set()

    came = received(theirs, ends(1))
    assert came[0].kind == frames.SETTINGS
    assert came[-1].kind == frames.HEADERS


def test_the_first_settings_do_not_wait_for_an_answer_that_takes_long(served, look_out, ends_of_a_connection):
    peer, theirs = ends_of_a_connection
    begun(served, peer, theirs)

    due = min(look_out.due)
    assert due < time.monotonic() + 1.0
    peer.look(due)

    assert received(theirs, lambda frame: True)[0].kind == frames.SETTINGS


def test_who_has_asked_for_nothing_yet_gets_the_settings_at_once(ends_of_a_connection):
    """There are clients that ask for nothing before."""
    peer, theirs = ends_of_a_connection
    theirs.sendall(frames.PREFACE + frames.settings_frame({}))

    assert peer.receive()

    assert received(theirs, lambda frame: True)[0].kind == frames.SETTINGS
