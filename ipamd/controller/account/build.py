"""What is known of the cloud account: its type, its quotas of EIPs, whether its clock agrees with ours."""

from collections.abc import Iterator
from dataclasses import dataclass

from ipamd.cloud.tencent import TencentCloud
from ipamd.controller.account import account_type as account_types
from ipamd.controller.account import quota as quotas
from ipamd.controller.account.account_type import AccountChecks
from ipamd.controller.account.clock import Agreement, ClockChecks
from ipamd.controller.account.quota import QuotaChecks
from ipamd.controller.events import Tell
from ipamd.controller.tempo import ReplicaPace
from ipamd.runtime.metric import Metric, gauge, gauges
from ipamd.runtime.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What others ask."""

    type: AccountChecks
    clock: ClockChecks
    quota: QuotaChecks
    while_leading: tuple[Service, ...]


def build(cloud: TencentCloud, tell: Tell, tempo: ReplicaPace) -> Account:
    """Return the account's checks; `tell` says what concerns the cluster as a whole."""
    account_type = AccountChecks(cloud, tempo.after_failures(account_types.BACKOFF))
    quota = QuotaChecks(cloud, tempo.after_failures(quotas.BACKOFF))
    clock = ClockChecks(tempo.clock, cloud.time, tell, steady=tempo.steady)
    return Account(
        type=account_type,
        clock=clock,
        quota=quota,
        while_leading=(
            Service(name="account type", start=account_type.loop.start, stop=account_type.loop.stop),
            Service(
                name="EIP quotas",
                start=quota.loop.start,
                stop=quota.loop.stop,
                metrics=lambda: _quota_metrics(quota),
            ),
            # The clocks are compared by who asks; there is nothing to run.
            Service(name="clock", metrics=lambda: _clock_metrics(clock)),
        ),
    )


def _clock_metrics(clock: ClockChecks) -> Iterator[Metric]:
    yield gauges(
        "tke_eni_clock_doubted",
        "1 on the leader while its wall clock is not believed, by reason: kept claims expire late.",
        "reason",
        {state.value: int(clock.state is state) for state in (Agreement.APART, Agreement.UNKNOWN)},
    )


def _quota_metrics(quota: QuotaChecks) -> Iterator[Metric]:
    """Yield the account's quotas of EIPs; only the leader reads them."""
    used = {each.quota_id: each.used for each in quota.quotas}
    limits = {each.quota_id: each.limit for each in quota.quotas}
    yield gauges("tke_eni_eip_quota_used", "EIP quotas: how much is used.", "quota", used)
    yield gauges("tke_eni_eip_quota_limit", "EIP quotas: how much there is.", "quota", limits)
    if quota.tag_values is not None:
        yield gauge(
            "tke_eni_eip_tag_values_used",
            "EIPs of account and region with the tag tke-eipclaim-uid, each with a value of its own.",
            quota.tag_values,
        )
