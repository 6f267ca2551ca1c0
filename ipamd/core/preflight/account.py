"""Whether the cloud account, its key and this CVM are fit. Pure."""

from collections.abc import Sequence
from typing import Final

from ipamd.core import model
from ipamd.core.eip.account_types import AccountType
from ipamd.core.kubernetes import capacity
from ipamd.core.preflight import rights
from ipamd.core.preflight.result import FitnessCheck, Judgement, fine, problem, unknown, warning
from ipamd.core.timing.durations import text_of

MOST_APART: Final = 60.0
"""Seconds between the clocks; the cloud refuses signatures at 300."""
FEW_ADDRESSES: Final = 16
_TOTAL: Final = "TOTAL_EIP_QUOTA"
_DAILY: Final = "DAILY_EIP_APPLY"
_RIGHTS: Final = "account/rights"
_WHOLE_POLICY: Final = (
    "attach deploy/cam-policy.json to the CAM role of the CVM: no page says which preset has it"
)
_POLICY: Final = (
    "attach the policies QcloudAccessForIPAMDofTKERole and QcloudAccessForIPAMDRoleInQcloudAllocateEIP, or "
    "deploy/cam-policy.json, to the CAM role of the CVM"
)


def metadata(instance_id: str, region: str) -> Judgement:
    """Return that the service has told who this is."""
    return fine(FitnessCheck.METADATA, f"instance/{instance_id}", f"this is {instance_id} in {region}")


def metadata_away(url: str, reason: str) -> Judgement:
    """Return that it has not."""
    step = "run it on a CVM, or name the service with --metadata-url; a proxy or a rule may be in the way"
    return problem(FitnessCheck.METADATA, f"service/{url}", reason, step)


def credential(where: str) -> Judgement:
    """Return whose key signs."""
    return fine(FitnessCheck.CREDENTIAL, "account/key", f"it comes from {where}")


def no_credential(reason: str) -> Judgement:
    """Return that there is none."""
    step = "attach a CAM role to the CVM, or set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY"
    return problem(FitnessCheck.CREDENTIAL, "account/key", reason, step)


def read_rights(allowed: Sequence[str], refused: Sequence[str], unanswered: Sequence[str]) -> list[Judgement]:
    """Judge what became of the calls that only ask; `unanswered` are sentences.

    What not every cluster needs is a warning that names what is not to be had.
    """
    found = []
    for purpose, names in rights.by_purpose(refused).items():
        text = f"the key may not call {', '.join(names)}"
        if purpose.is_essential:
            found.append(problem(FitnessCheck.READ_RIGHTS, _RIGHTS, text, _POLICY))
        else:
            text += f", which is needed for {purpose.value}"
            found.append(warning(FitnessCheck.READ_RIGHTS, _RIGHTS, text, _WHOLE_POLICY))
    found += [
        problem(
            FitnessCheck.READ_RIGHTS, _RIGHTS, text, "look at the way to the API, and at --cloud-endpoint"
        )
        for text in unanswered
    ]
    if not found:
        found.append(fine(FitnessCheck.READ_RIGHTS, _RIGHTS, f"the key may call {', '.join(allowed)}"))
    return found


def reservations_not_offered(reason: str) -> Judgement:
    """Return that region or account have no reserved addresses."""
    text = f"the VPC does not keep fixed addresses here: {reason}"
    step = "nothing, if no Pod has a fixed address; else give those a subnet of their own: docs/fixed-ips.md"
    return warning(FitnessCheck.READ_RIGHTS, _RIGHTS, text, step)


def write_rights() -> Judgement:
    """Return what cannot be found out without changing something."""
    groups = rights.by_purpose(rights.untried())
    listed = [
        ", ".join(names) if purpose.is_essential else f"for {purpose.value}: {', '.join(names)}"
        for purpose, names in groups.items()
    ]
    return unknown(FitnessCheck.WRITE_RIGHTS, _RIGHTS, f"not tried: {'; '.join(listed)}", _POLICY)


def clock(ahead: float) -> Judgement:
    """Judge by how many seconds the node's clock is ahead of the cloud's."""
    if abs(ahead) < MOST_APART:
        return fine(
            FitnessCheck.CLOCK, "node/clock", f"it is less than {text_of(MOST_APART)} from the cloud's"
        )
    text = f"it is {text_of(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the cloud's"
    step = "have chrony or ntpd set it; the cloud refuses requests that are 5 minutes off"
    return problem(FitnessCheck.CLOCK, "node/clock", text, step)


def account_type(found: AccountType) -> Judgement:
    """Judge the kind of account."""
    if found is AccountType.STANDARD:
        return fine(FitnessCheck.ACCOUNT_TYPE, "account/type", "it pays for each EIP (STANDARD)")
    text = "it pays by CVM (LEGACY), so EIPs have the charge type and bandwidth of their CVM"
    return warning(
        FitnessCheck.ACCOUNT_TYPE, "account/type", text, "see docs/annotations.md on accounts of type LEGACY"
    )


def eip_quota(quotas: Sequence[model.EipQuota]) -> Judgement:
    """Judge how many EIPs there may still be."""
    by_name = {quota.quota_id: quota for quota in quotas}
    total, daily = by_name.get(_TOTAL), by_name.get(_DAILY)
    if total is None or daily is None:
        text = f"the cloud does not tell {_TOTAL if total is None else _DAILY}"
        return unknown(FitnessCheck.EIP_QUOTA, "account/quota", text, "look at the EIP page of the console")
    left, orders = total.limit - total.used, daily.limit - daily.used
    text = f"{max(0, left)} of {total.limit} EIPs are left, {max(0, orders)} of {daily.limit} orders today"
    if left <= 0 or orders <= 0:
        step = "release EIPs that nobody needs, or ask for a higher quota (eip-id-list needs no order)"
        return warning(FitnessCheck.EIP_QUOTA, "account/quota", text, step)
    return fine(FitnessCheck.EIP_QUOTA, "account/quota", text)


def instance_limits(instance: model.Instance, limits: model.EniLimits) -> Judgement:
    """Judge what this CVM takes."""
    subject = f"instance/{instance.instance_id}"
    pods, eips = capacity.pod_ips(limits), capacity.pod_eips(instance.vcpus)
    text = (
        f"{limits.enis} ENIs with {limits.ips_per_eni} addresses each: {pods} Pods, {eips} of them with EIP"
    )
    if pods <= 0:
        step = "take a bigger instance type: one with two ENIs or more"
        return problem(FitnessCheck.INSTANCE_LIMITS, subject, f"it takes {text}", step)
    return fine(FitnessCheck.INSTANCE_LIMITS, subject, f"it takes {text}")


def subnets(zone: str, found: Sequence[model.Subnet], named_by_flag: Sequence[str] = ()) -> Judgement:
    """Judge the subnets that ENIs may be made in: those of the node's zone; others serve other nodes.

    `named_by_flag` are what --pod-subnets has.
    """
    if missing := sorted(set(named_by_flag) - {subnet.subnet_id for subnet in found}):
        text = f"--pod-subnets names {', '.join(missing)}, which this account and region do not have"
        step = "correct the flag: an agent orders ENIs in none of them"
        return problem(FitnessCheck.SUBNET_ADDRESSES, f"zone/{zone}", text, step)
    here = [subnet for subnet in found if subnet.zone == zone]
    free = sum(subnet.available_ips for subnet in here)
    named = ", ".join(f"{subnet.subnet_id} ({subnet.available_ips} free)" for subnet in here)
    subject = f"zone/{zone}"
    if free <= 0:
        text = f"no subnet of the zone has a free address: {named or 'there is none'}"
        return problem(
            FitnessCheck.SUBNET_ADDRESSES,
            subject,
            text,
            "make a subnet in this zone and name it with --pod-subnets",
        )
    if free < FEW_ADDRESSES:
        step = "make a further subnet in this zone and name it with --pod-subnets"
        return warning(FitnessCheck.SUBNET_ADDRESSES, subject, f"few are left: {named}", step)
    return fine(FitnessCheck.SUBNET_ADDRESSES, subject, named)
