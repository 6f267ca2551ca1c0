"""One agent in virtual time: grows its pool as planned, gives Pods their addresses, binds their EIPs."""

from collections import Counter
from collections.abc import Generator

from ipamd.agent.eips.associate import SECONDS as BIND_SECONDS
from ipamd.cloud.poll_plan import PollPace
from ipamd.core import model, pool
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger import acquisition, ledger
from ipamd.core.ledger.acquisition import Attachment
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.pool import AssignIps, CreateEni, EniCapacity, PoolFacts, Targets
from ipamd.core.timing.boottime import Boottime
from ipamd.core.timing.expected_duration import ExpectedDuration
from ipamd.runtime.failure_cache import FailureCache
from testbed.scale.virtual.account import LATENCIES, Account, Caller
from testbed.scale.virtual.timeline import Signal

LIMITS = model.EniLimits(enis=8, ips_per_eni=20)
"""A CVM of 16 vCPUs: 133 Pods, 3 EIPs (documents 576/18527 and 1199/41648)."""
_CALL_SECONDS = 30.0
_CREATE_SECONDS = 60.0
_PACE = PollPace()
_COOLDOWN = 30.0
_REFUSED = TryAgainError("the account's rate")


class Node:
    """An agent. Invariant: at most one request for an ENI is under way."""

    def __init__(self, account: Account, number: int, requests: Counter[str]) -> None:
        """Begin with the warm addresses of a node at rest; what is asked of the API server is counted."""
        self._account = account
        self._timeline = account.timeline
        self._number = number
        self._requests = requests
        self._caller = Caller(account)
        self._closures = FailureCache(clock=self._timeline.time, random=account.random.random)
        self._expected = ExpectedDuration()
        self._ledger = Ledger()
        self._arriving: dict[str, int] = {}
        self._waiting: list[tuple[str, Signal]] = []
        self._known: Counter[str] = Counter()
        self._adopt("eni-0", Targets().min_warm)

    def add_pod(self, name: str) -> Signal:
        """Let a Pod ask for an address; return what happens when it has one."""
        has_address = Signal(self._timeline)
        self._waiting.append((name, has_address))
        return has_address

    def plan(self) -> None:
        """Give out what there is, and begin what is planned."""
        self._give()
        now = Boottime(self._timeline.now)
        for action in pool.plan(self._situation(), now):
            if isinstance(action, AssignIps):
                self._begin(action.eni_id, action.count, "AssignPrivateIpAddresses", LATENCIES.ip_assign)
            elif isinstance(action, CreateEni):
                seconds = LATENCIES.eni_create + LATENCIES.eni_attach
                self._begin(
                    f"eni-{len(self._known)}", action.count, "CreateAndAttachNetworkInterface", seconds
                )

    def bind(self, has_address: Signal, done: Signal) -> Generator["float | Signal", None, None]:
        """Bind an EIP that its claim has, once its Pod has an address (`ipamd.agent.eips.associate`)."""
        yield has_address
        subject = f"claim-{id(done)}"
        self._requests["patch eipclaims/status"] += 1
        while not (yield from self._caller.call("AssociateAddress", BIND_SECONDS)):
            yield self._closures.failed(subject, _REFUSED)
        begun = self._timeline.now
        pause, looked, too_early, bound = self._expected.seconds, 0.0, 0.0, False
        while not bound:
            yield pause
            too_early = looked
            looked = self._timeline.now - begun
            answered = yield from self._caller.call("DescribeAddresses", _CALL_SECONDS)
            bound = answered and looked >= LATENCIES.eip_bind
            pause = _PACE.pause(looked, self._expected)
        self._expected.observe(looked, too_early=too_early)
        self._requests["patch pods"] += 1
        self._requests["patch eipclaims/status"] += 1
        self._requests["create events"] += 1
        done.set()

    def _begin(self, eni_id: str, count: int, action: str, seconds: float) -> None:
        self._arriving[eni_id] = count
        self._timeline.start(self._bring(eni_id, count, action, seconds))

    def _bring(self, eni_id: str, count: int, action: str, seconds: float) -> Generator[float, None, None]:
        yield from self._caller.call("DescribeSubnets", _CALL_SECONDS)
        if (yield from self._caller.call(action, _CREATE_SECONDS)):
            yield seconds
            yield from self._caller.call("DescribeNetworkInterfaces", _CALL_SECONDS)
            self._adopt(eni_id, count)
        else:
            yield self._closures.failed(eni_id, _REFUSED)
        del self._arriving[eni_id]
        self.plan()

    def _adopt(self, eni_id: str, count: int) -> None:
        first = self._known.total()
        ips = [f"10.0.{eni_id}.{first + index}" for index in range(count)]
        self._ledger = ledger.adopt(self._ledger, eni_id, ips, Boottime(self._timeline.now)).ledger
        self._known[eni_id] += count

    def _give(self) -> None:
        while self._waiting and self._ledger.available:
            name, has_address = self._waiting.pop(0)
            attachment = Attachment(
                key=model.SandboxKey(container_id=name, ifname="eth0"),
                pod=model.PodRef(namespace="default", name=name, uid=name),
            )
            given = acquisition.acquire(self._ledger, attachment, _COOLDOWN, Boottime(self._timeline.now))
            self._ledger = given.ledger
            has_address.set()

    def _situation(self) -> PoolFacts:
        enis = {*self._known, *self._arriving}
        return PoolFacts(
            ledger=self._ledger,
            enis=tuple(
                EniCapacity(
                    eni_id=eni_id,
                    subnet_id="subnet-1",
                    addresses=self._known[eni_id] + self._arriving.get(eni_id, 0),
                    busy=eni_id in self._arriving,
                )
                for eni_id in sorted(enis)
                if eni_id in self._known
            ),
            limits=LIMITS,
            targets=Targets(),
            waiting=len(self._waiting),
            arriving=sum(self._arriving.values()),
            creating=any(eni_id not in self._known for eni_id in self._arriving),
        )
