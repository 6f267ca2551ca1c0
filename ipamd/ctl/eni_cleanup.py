"""One run of `ipamctl eni cleanup`: list by tags, decide, show, and with --yes give back and look again.

An EIP that is bound to such an ENI is unbound, and never released here: it may be the user's. Without --yes
nothing is changed.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from ipamd.cloud import tencent
from ipamd.cloud.polling import EipWatch
from ipamd.core import eni_cleanup as cleanup
from ipamd.core import tags
from ipamd.core.eni_cleanup import EniEntry
from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.model import Eip
from ipamd.core.timing.deadline import Deadline
from ipamd.ctl import eip_cleanup, output, reservation_cleanup
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.shape import Block, Column, Line, Plain, Shape, Table
from ipamd.flags import checks

_AT_ONCE: Final = 8
_LISTING_SECONDS: Final = 60.0


_MADE_FOR = (tags.NODE, tags.EXCLUSIVE_NODE, tags.VPC_IP_CLAIM_UID)
"""Tags that say for what an ENI was made: a CVM, or a VpcIPClaim."""


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run the command; 0 when nothing is left that was to go.

    Raises: InvalidInputError for flags that are wrong.
    """
    cluster_id = checks.cluster_id(options.cluster_id)
    patience = checks.duration("--wait", options.wait, least=1)
    try:
        with eip_cleanup.open_cloud(options, environment) as cloud:
            return _run(options, cloud, cluster_id, patience)
    except InvalidInputError:
        raise
    except IpamError as e:
        print(f"ipamctl: no more was given back: {e}", file=sys.stderr)
        return ExitCode.PROBLEM


def _run(options: argparse.Namespace, cloud: tencent.TencentCloud, cluster_id: str, patience: float) -> int:
    deadline = Deadline.after(_LISTING_SECONDS, time.monotonic)
    listed = cloud.find_enis({tags.CLUSTER_ID: cluster_id}, deadline)
    entries = cleanup.plan(listed, cluster_id, detach=options.detach, kept=options.reservations)
    doomed = [entry for entry in entries if entry.doomed]
    outcomes = _delete(cloud, doomed, cluster_id, patience) if options.yes else {}
    rows = [_row(entry, outcomes.get(entry.eni.eni_id)) for entry in entries]
    kept_ips: list[dict[str, Any]] = []
    if options.reservations:  # after the ENIs, which may have had their addresses
        deadline = Deadline.after(_LISTING_SECONDS + patience, time.monotonic)
        kept_ips = reservation_cleanup.rows(cloud, cluster_id, deadline, release=options.yes)
    answer = {"clusterId": cluster_id, "dryRun": not options.yes, "enis": rows, "reservations": kept_ips}
    output.show(options, answer, SHAPE)
    if not options.yes:
        again = "; --yes does it" if doomed or kept_ips else ""
        text = f"Nothing was changed: {len(doomed)} of {len(entries)} ENIs would be given back{again}."
        print(text, file=sys.stderr)
        return ExitCode.OK
    left = sum(bool(why) for why in outcomes.values())
    more = " The same command tries again." if left else ""
    kept = len(entries) - len(doomed)
    print(f"{len(doomed) - left} given back, {left} left, {kept} kept.{more}", file=sys.stderr)
    return ExitCode.PROBLEM if left or reservation_cleanup.left(kept_ips) else ExitCode.OK


def _delete(
    cloud: tencent.TencentCloud, doomed: Sequence[EniEntry], cluster_id: str, patience: float
) -> dict[str, str]:
    """Give back; return by id why an ENI is left, empty for one that is gone."""
    with EipWatch(cloud, clock=time.monotonic) as watch, ThreadPoolExecutor(_AT_ONCE) as workers:
        one = partial(_delete_one, cloud, watch, cluster_id, patience)
        return dict(zip((entry.eni.eni_id for entry in doomed), workers.map(one, doomed), strict=True))


def _delete_one(
    cloud: tencent.TencentCloud, watch: EipWatch, cluster_id: str, patience: float, entry: EniEntry
) -> str:
    deadline = Deadline.after(patience, time.monotonic)
    eni_id = entry.eni.eni_id
    try:
        now = cloud.describe_eni(eni_id, deadline)
        obstacle = cleanup.obstacle(entry, now, cluster_id)
        if obstacle or now is None:
            return obstacle or ""
        for eip in cloud.describe_eips(eni_ids=[eni_id], deadline=deadline):
            cloud.disassociate_eip(eip.eip_id, deadline)
            watch.wait_until(eip.eip_id, partial(_is_off, eni_id), deadline, kind="DisassociateAddress")
        if now.instance_id:
            cloud.detach_eni(eni_id, now.instance_id, deadline)
        cloud.delete_eni(eni_id, deadline)
    except IpamError as e:
        return str(e)
    return ""


def _is_off(eni_id: str, eip: Eip | None) -> bool:
    return eip is None or eip.eni_id != eni_id


def _row(entry: EniEntry, why: str | None) -> dict[str, Any]:
    eni = entry.eni
    return {
        "eniId": eni.eni_id,
        "state": eni.state.value,
        "attachedTo": eni.instance_id,
        "madeFor": next((eni.tags[name] for name in _MADE_FOR if name in eni.tags), ""),
        "addresses": len(eni.addresses),
        "eips": list(entry.eip_ids),
        "action": entry.fate.value,
        "result": "" if why is None else "left" if why else "deleted",
        "message": why or "",
    }


def _blocks(answer: Plain, _: float) -> Sequence[Block]:
    columns = (
        Column("ENI", lambda eni: eni["eniId"]),
        Column("STATE", lambda eni: eni["state"]),
        Column("ATTACHED-TO", lambda eni: eni["attachedTo"]),
        Column("MADE-FOR", lambda eni: eni["madeFor"], wide=True),
        Column("ADDRESSES", lambda eni: str(eni["addresses"])),
        Column("EIPS", lambda eni: ",".join(eni["eips"]), wide=True),
        Column("ACTION", lambda eni: eni["action"]),
        Column("RESULT", lambda eni: eni["result"]),
    )
    return [
        Table(columns, answer["enis"], empty=f"no ENI has the tags of cluster {answer['clusterId']}"),
        *(Line("LEFT", f"{eni['eniId']}: {eni['message']}") for eni in answer["enis"] if eni["message"]),
        *_reservations(answer["reservations"]),
    ]


def _reservations(shown: Sequence[Plain]) -> Sequence[Block]:
    if not shown:
        return []
    columns = (
        Column("RESERVATION", lambda one: one["reservationId"]),
        Column("IP", lambda one: one["ip"]),
        Column("ENI", lambda one: one["eniId"]),
        Column("ACTION", lambda one: one["action"]),
        Column("RESULT", lambda one: one["result"]),
    )
    messages = (Line("LEFT", f"{one['reservationId']}: {one['message']}") for one in shown if one["message"])
    return [Table(columns, shown, empty=""), *messages]


SHAPE: Final = Shape(_blocks, lambda answer: [eni["eniId"] for eni in answer["enis"]])
