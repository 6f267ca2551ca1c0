"""One run of `ipamctl eip cleanup`: list, decide, show, and with --yes give back and look again.

TKE does not reclaim the EIPs of a deleted cluster. This works from their tags alone, without the cluster;
with --kubeconfig, what a claim of the cluster holds is kept, and the cluster's switch is asked before each
release. Without --yes nothing is changed.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ipamd.cloud import credentials, endpoints, metadata, tencent, throttling
from ipamd.core import tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.eip import cleanup
from ipamd.core.eip.cleanup import Entry
from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.kubernetes import cluster_settings
from ipamd.core.model import Eip
from ipamd.core.timing import timestamps
from ipamd.core.timing.deadline import Deadline
from ipamd.ctl import output, tables
from ipamd.ctl.cluster import ClusterAccess
from ipamd.ctl.eip_release import ReleaseOutcome, Releaser
from ipamd.flags import checks
from ipamd.kube.errors import KubeError

_RATE_SHARE = 0.5
"""Part of the account's API rates; the other half is left to clusters that live."""
_LISTING_SECONDS = 60.0


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run the command; 0 when nothing is left that was to go, 1 for a failure or a refusal.

    Raises: InvalidInputError for flags that are wrong.
    """
    cluster_id = checks.cluster_id(options.cluster_id)
    patience = checks.duration("--wait", options.wait, least=1)
    try:
        with open_cloud(options, environment) as cloud, contextlib.ExitStack() as stack:
            cluster = ClusterAccess(options.kubeconfig, cluster_id) if options.kubeconfig else None
            if cluster is not None:
                stack.callback(cluster.close)
            return _Cleanup(options, cloud, cluster_id, patience, cluster).run()
    except InvalidInputError:
        raise
    except IpamError as e:
        print(f"ipamctl: nothing was released: {e}", file=sys.stderr)
        return 1


class _Cleanup:
    """One run over the EIPs of one cluster."""

    def __init__(
        self,
        options: argparse.Namespace,
        cloud: tencent.TencentCloud,
        cluster_id: str,
        patience: float,
        cluster: ClusterAccess | None,
    ) -> None:
        self._options = options
        self._cloud = cloud
        self._cluster_id = cluster_id
        self._patience = patience
        self._cluster = cluster

    def run(self) -> int:
        entries = self._plan()
        refusal = self._refusal(entries) if self._options.yes else ""
        if not self._options.yes or refusal:
            self._show(entries, {})
            print(refusal or _dry_run(entries, self._outlook()), file=sys.stderr)
            return 1 if refusal else 0
        outcomes = self._release([entry for entry in entries if entry.doomed])
        self._show(entries, outcomes)
        left = [outcome for outcome in outcomes.values() if not outcome.released]
        busy = cleanup.signs_of_life(entries) if self._options.unbind else ()
        try:
            new = self._created_meanwhile(entries)
        except CloudError as e:
            print(f"ipamctl: the last look at the cluster's EIPs failed: {e}", file=sys.stderr)
            return 1
        print(_summary(len(entries), len(outcomes), len(left), len(busy), new), file=sys.stderr)
        return 1 if left or busy or new else 0

    def _plan(self) -> tuple[Entry, ...]:
        """Look at the cloud first, so that a claim of every EIP seen is there when the claims are read."""
        eips = self._listed()
        held_by = cleanup.holders(eips, self._cluster.claims() if self._cluster else ())
        if self._cluster:
            held_by = self._cluster.pooled(eips) | held_by
        return cleanup.plan(
            eips,
            self._cluster_id,
            held_by,
            unbind=self._options.unbind,
            keep_tke=self._options.keep_tke,
        )

    def _listed(self) -> list[Eip]:
        deadline = Deadline.after(_LISTING_SECONDS, time.monotonic)
        listed = self._cloud.describe_eips(tags={tags.CLUSTER_ID: self._cluster_id}, deadline=deadline)
        return [eip for eip in listed if cleanup.is_of(eip, self._cluster_id)]

    def _stopped_by(self) -> str:
        """Return by what releases are stopped, as far as there is a cluster to ask. Raises: KubeError."""
        return self._cluster.releases_stopped() if self._cluster else ""

    def _outlook(self) -> str:
        """Return what --yes would be refused for."""
        try:
            return self._stopped_by()
        except KubeError as e:
            return str(e)

    def _refusal(self, entries: Sequence[Entry]) -> str:
        stopped_by = self._stopped_by()
        if stopped_by:
            return _held_back(stopped_by)
        alive = cleanup.signs_of_life(entries)
        if not alive or self._options.unbind or self._options.keep_bound:
            return ""
        first = alive[0].eip
        where = " ".join((first.status.value, cleanup.place(first))).strip()
        return (
            f"ipamctl: nothing was released: {len(alive)} of {len(entries)} EIPs are in use, for example "
            f"{first.eip_id} ({where}), so cluster {self._cluster_id} may be alive.\n"
            "If it is deleted, --unbind takes these as well. If it is not, --kubeconfig FILE keeps what its "
            "EIPClaims hold. --keep-bound leaves these and takes the others."
        )

    def _release(self, doomed: Sequence[Entry]) -> dict[str, ReleaseOutcome]:
        interrupted = {
            entry.eip.eip_id: ReleaseOutcome(entry=entry, released=False, message="interrupted")
            for entry in doomed
        }
        releaser = Releaser(self._cloud, self._cluster_id, patience=self._patience, stopped=self._stopped_by)
        outcomes = {}
        try:
            for outcome in releaser.release(doomed):
                outcomes[outcome.entry.eip.eip_id] = outcome
        except KeyboardInterrupt:
            print("ipamctl: interrupted; begun releases take their course", file=sys.stderr)
        return interrupted | outcomes

    def _created_meanwhile(self, entries: Sequence[Entry]) -> int:
        """Return how many EIPs of the cluster have come since: something still creates them."""
        known = {entry.eip.eip_id for entry in entries}
        return sum(eip.eip_id not in known for eip in self._listed())

    def _show(self, entries: Sequence[Entry], outcomes: Mapping[str, ReleaseOutcome]) -> None:
        now = time.time()
        rows = [_row(entry, outcomes.get(entry.eip.eip_id), now) for entry in entries]
        answer = {"clusterId": self._cluster_id, "dryRun": not self._options.yes, "eips": rows}
        output.show(self._options, answer, tables.CLEANUP)


def _row(entry: Entry, outcome: ReleaseOutcome | None, now: float) -> dict[str, Any]:
    eip = entry.eip
    created = eip.created_at
    return {
        "eipId": eip.eip_id,
        "publicIp": eip.public_ip,
        "state": eip.status.value,
        "boundTo": cleanup.place(eip),
        "claim": entry.claim,
        "claimUid": entry.claim_uid,
        "createdAt": timestamps.to_text(created) if created is not None else "",
        "ageSeconds": max(0, int(now - created)) if created is not None else None,
        "action": entry.fate.value,
        "result": "" if outcome is None else "released" if outcome.released else "left",
        "message": outcome.message if outcome is not None else "",
    }


def _dry_run(entries: Sequence[Entry], stopped_by: str) -> str:
    doomed = sum(entry.doomed for entry in entries)
    again = "; --yes does it" if doomed and not stopped_by else ""
    text = f"Nothing was changed: {doomed} of {len(entries)} EIPs would be released{again}."
    return f"{text}\n--yes would be refused: {stopped_by}." if stopped_by else text


def _held_back(stopped_by: str) -> str:
    allow = json.dumps({"data": {cluster_settings.RELEASES: "allowed"}}, separators=(",", ":"))
    return (
        f"ipamctl: nothing was released: {stopped_by}.\n"
        "Somebody has stopped all releases of the cluster: ask why. When the reason is gone, allow them and "
        "repeat this command:\n"
        f"  kubectl -n {cluster_settings.NAMESPACE} patch configmap {cluster_settings.CONFIG_MAP} "
        f"--type merge -p '{allow}'"
    )


def _summary(total: int, doomed: int, left: int, busy: int, new: int) -> str:
    text = f"{doomed - left} released, {left} left, {total - doomed} kept."
    if busy:
        text += f" {busy} of those kept are just being made or bound."
    if left or busy:
        text += " The same command tries again."
    if new:
        text += f" {new} came meanwhile: does a controller of the cluster still run?"
    return text


def open_cloud(options: argparse.Namespace, environment: Mapping[str, str]) -> tencent.TencentCloud:
    """Return the API client of the region, with the environment's credential or the CVM's role."""
    service = metadata.Metadata(options.metadata_url)
    identity = credentials.from_environment(environment) or credentials.RoleCredentials(service.credential)
    return tencent.TencentCloud(
        region=checks.region(options.region) or service.region(),
        credentials=identity,
        endpoints=endpoints.parse(options.cloud_endpoint),
        # Saved turns and those of the same second together stay within what a second allows.
        limiter=throttling.Limiter(clock=time.monotonic, share=_RATE_SHARE, burst_seconds=1.0),
    )
