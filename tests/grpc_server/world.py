"""A connection without a socket."""

from ipamd.grpc_server import frames
from ipamd.grpc_server.connection import Http2Connection
from ipamd.grpc_server.status import StatusCode
from tests.grpc_server.peer import ADD, FIRST, STATUS


class World:
    """A connection and the clock of its allowance."""

    def __init__(self, begin=True):
        self.now = 0.0
        self.connection = Http2Connection({ADD, STATUS}.__contains__, clock=lambda: self.now)
        self.reader = frames.FrameReader(greeted=True)
        if begin:
            self.receive(FIRST)

    def receive(self, data):
        """Return the events, and the frames that the peer gets."""
        events = self.connection.receive(data)
        return events, self.sent()

    def sent(self):
        self.reader.feed(self.connection.output())
        found = []
        while (frame := self.reader.next()) is not None:
            found.append(frame)
        return found

    def error(self, data):
        """Return the code with which the connection ends."""
        _, found = self.receive(data)
        assert self.connection.has_ended
        goaway = found[-1]
        assert goaway.kind == frames.GOAWAY
        return int.from_bytes(goaway.payload[4:8], "big")

    def answer(self, stream, content=b""):
        self.connection.send_message(stream, content)
        self.connection.end(stream, StatusCode.OK)
        self.connection.running -= 1
        return self.sent()
