"""The controller in virtual time: orders and looks as its parts do, within its shares and its rate."""

from collections import Counter, deque
from collections.abc import Generator

from ipamd.cloud.eips import EIPS
from ipamd.controller import main
from ipamd.controller.claims.eip_listing import SPACING
from ipamd.core.timing.token_bucket import TokenBucket
from testbed.scale.virtual.account import LATENCIES, Account, Caller
from testbed.scale.virtual.timeline import Signal

WORKERS = 16
KUBE_RATE, KUBE_BURST = 50.0, 100
"""Defaults of --workers, --kube-client-qps and --kube-client-burst; checked by a test."""
_CALL_SECONDS = 30.0
_LOOK = EIPS.action
_MOST = 100


class VirtualController:
    """Provisions claims in the order in which they come."""

    def __init__(self, account: Account, requests: Counter[str]) -> None:
        """Take whom it calls; what it asks of the API server is counted."""
        self._account = account
        self._timeline = account.timeline
        self._requests = requests
        self._caller = Caller(account, main.limiter(account.timeline.time))
        self._gate = TokenBucket(rate=KUBE_RATE, burst=KUBE_BURST)
        self._claims: deque[Signal] = deque()
        self._ordered: deque[tuple[float, Signal]] = deque()
        self._left = 0

    def provision(self, provisioned: list[Signal]) -> None:
        """Begin with these claims; each happens when it has its EIP."""
        self._claims.extend(provisioned)
        self._left = len(provisioned)
        for _ in range(WORKERS):
            self._timeline.start(self._work())
        self._timeline.start(self._look())

    def _work(self) -> Generator[float, None, None]:
        while self._claims:
            claim = self._claims.popleft()
            for verb in ("create eipclaims", "patch eipclaims/status", "patch eipclaims/status"):
                yield from self._ask(verb)
            while not (yield from self._caller.call("AllocateAddresses", _CALL_SECONDS)):
                pass
            self._ordered.append((self._timeline.now + LATENCIES.eip_create, claim))

    def _look(self) -> Generator[float, None, None]:
        """Look at the EIPs of up to a hundred claims at once, and record those that are there."""
        while self._left:
            yield SPACING
            if not self._ordered or not (yield from self._caller.call(_LOOK, _CALL_SECONDS)):
                continue
            there = [claim for at, claim in list(self._ordered)[:_MOST] if at <= self._timeline.now]
            for claim in there:
                self._ordered.popleft()
                self._left -= 1
                self._timeline.start(self._record(claim))

    def _record(self, claim: Signal) -> Generator[float, None, None]:
        yield from self._ask("patch eipclaims/status")
        claim.set()
        for _ in range(2):  # one on the claim, one on the Pod
            yield from self._ask("create events")

    def _ask(self, verb: str) -> Generator[float, None, None]:
        self._requests[verb] += 1
        yield self._gate.reserve(self._timeline.now) or 0.0
