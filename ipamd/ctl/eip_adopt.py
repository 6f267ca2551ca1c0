"""One run of `ipamctl eip adopt`: look, decide, show, and with --yes write into EIPPool or EIPClaims.

Nothing in the cloud is changed: the controller binds what it finds in its objects. Without --yes nothing is
changed at all. What is refused keeps nothing else from being taken over, and makes the exit code 1.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ipamd.cloud.tencent import TencentCloud
from ipamd.core import tags
from ipamd.core.annotations import eip_id_list
from ipamd.core.annotations.eip import pool_name
from ipamd.core.eip import adoption
from ipamd.core.eip.adoption import Adoption, AdoptionVerdict
from ipamd.core.eip_pool.eippool import MOST
from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.model import Eip
from ipamd.core.timing.deadline import Deadline
from ipamd.ctl import output, tables
from ipamd.ctl.cluster import ClusterAccess
from ipamd.ctl.eip_cleanup import open_cloud
from ipamd.flags import checks

_LISTING_SECONDS = 60.0


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run the command; 0 when all that was looked at is or can be taken over, 1 for a failure or a refusal.

    Raises: InvalidInputError for flags that are wrong.
    """
    cluster_id = checks.cluster_id(options.cluster_id)
    claims = _claims(options.claim)
    if bool(options.pool) == bool(claims):
        raise InvalidInputError("give one of --pool NAME and --claim NAMESPACE/POD=EIP", advice="see --help")
    if not options.kubeconfig:
        raise InvalidInputError("--kubeconfig is missing", advice="give that of the cluster --cluster-id")
    if options.pool:
        pool_name(options.pool)
    elif options.eip:
        raise InvalidInputError("--eip is for --pool", advice="with --claim each names its EIP")
    wanted = tuple(claims) or (eip_id_list.parse(options.eip) if options.eip else ())
    try:
        with open_cloud(options, environment) as cloud:
            cluster = ClusterAccess(options.kubeconfig, cluster_id)
            try:
                return _Adopt(options, cloud, cluster, cluster_id).run(wanted, claims)
            finally:
                cluster.close()
    except InvalidInputError:
        raise
    except IpamError as e:
        print(f"ipamctl: not all was taken over: {e}", file=sys.stderr)
        return 1


class _Adopt:
    """One run over EIPs that are named, or over all that TKE has kept for the clusters."""

    def __init__(
        self,
        options: argparse.Namespace,
        cloud: TencentCloud,
        cluster: ClusterAccess,
        cluster_id: str,
    ) -> None:
        self._options = options
        self._cloud = cloud
        self._cluster = cluster
        self._cluster_id = cluster_id

    def run(self, wanted: Sequence[str], claims: Mapping[str, tuple[str, str]]) -> int:
        eips = self._look(wanted)
        # Whoever has one of them now is there when the claims are read.
        found = adoption.plan(
            wanted or sorted(eips),
            eips,
            cluster_id=self._cluster_id,
            held_by=self._cluster.holders(eips.values()),
        )
        found = tuple(self._without_claim(each, claims) for each in found)
        accepted = [each for each in found if each.accepted]
        if self._options.yes and accepted and self._options.pool:
            self._cluster.add_to_pool(self._options.pool, [each.eip_id for each in accepted], most=MOST)
        elif self._options.yes:
            for each in accepted:
                self._cluster.create_claim(*claims[each.eip_id], each.eip_id)
        target = {each.eip_id: self._target(each, claims) for each in accepted}
        rows = [_row(each, target.get(each.eip_id, "")) for each in found]
        answer = {"clusterId": self._cluster_id, "dryRun": not self._options.yes, "eips": rows}
        output.show(self._options, answer, tables.ADOPTION)
        print(_summary(found, done=self._options.yes), file=sys.stderr)
        return 0 if len(accepted) == len(found) else 1

    def _without_claim(self, each: Adoption, claims: Mapping[str, tuple[str, str]]) -> Adoption:
        """Refuse an EIP for a Pod that has a claim: the claim says which EIP the Pod has."""
        if not each.accepted or not claims or not self._cluster.has_claim(*claims[each.eip_id]):
            return each
        name = "/".join(claims[each.eip_id])
        reason = f"there is an EIPClaim {name} already: delete it first, with its Pod"
        return dataclasses.replace(each, verdict=AdoptionVerdict.KEEP_HELD, reason=reason)

    def _look(self, wanted: Sequence[str]) -> dict[str, Eip]:
        deadline = Deadline.after(_LISTING_SECONDS, time.monotonic)
        if wanted:
            named = self._cloud.describe_eips(eip_ids=wanted, deadline=deadline)
            return {eip.eip_id: eip for eip in named}
        listed = self._cloud.describe_eips(tags=tags.of_cluster(self._cluster_id), deadline=deadline)
        return {eip.eip_id: eip for eip in listed if adoption.kept_by_tke(eip)}

    def _target(self, each: Adoption, claims: Mapping[str, tuple[str, str]]) -> str:
        if self._options.pool:
            return f"EIPPool {self._options.pool}"
        return f"EIPClaim {'/'.join(claims[each.eip_id])}"


def _claims(entries: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return namespace and Pod for each EIP that --claim names."""
    found: dict[str, tuple[str, str]] = {}
    for entry in entries:
        pod, _, eip_id = entry.partition("=")
        namespace, _, name = pod.partition("/")
        if not (namespace and name and eip_id) or "/" in name:
            raise InvalidInputError(
                f"--claim is {entry[:80]}; allowed is NAMESPACE/POD=EIP, such as default/web-0=eip-1a2b3c4d"
            )
        (known,) = eip_id_list.check([eip_id])
        if known in found or (namespace, name) in found.values():
            raise InvalidInputError(f"--claim is {entry[:80]}; allowed is each Pod and each EIP once")
        found[known] = (namespace, name)
    return found


def _row(each: Adoption, target: str) -> dict[str, Any]:
    return {
        "eipId": each.eip_id,
        "publicIp": each.eip.public_ip if each.eip else "",
        "state": each.eip.status.value if each.eip else "",
        "action": each.verdict.value,
        "target": target,
        "message": each.reason,
    }


def _summary(found: Sequence[Adoption], *, done: bool) -> str:
    accepted = sum(each.accepted for each in found)
    refused = f"{len(found) - accepted} refused"
    if done:
        return f"{accepted} taken over, {refused}."
    again = "; --yes does it" if accepted else ""
    return f"Nothing was changed: {accepted} of {len(found)} EIPs would be taken over, {refused}{again}."
