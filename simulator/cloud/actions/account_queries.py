"""What the account may have (DescribeAddressQuota) and how it pays (DescribeNetworkAccountType)."""

from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject
from simulator.cloud.actions.eip_orders import DAILY_EIPS, DAILY_SINGLE_ISP
from simulator.cloud.parameters import Record
from simulator.cloud.state.world import World


def describe_network_account_type(world: World, call: Call) -> JsonObject:
    """DescribeNetworkAccountType: how the account pays for EIPs."""
    del call
    return {"NetworkAccountType": world.config.account.network_type}


def describe_address_quota(world: World, call: Call) -> JsonObject:
    """DescribeAddressQuota (document 215/16701)."""
    quotas = world.config.quotas
    rows = (
        ("MONTHLY_RECOVER_QUOTA", 0, 3),
        ("TOTAL_EIP_QUOTA", len(world.eips(single_isp=False)), quotas.total_eips),
        (DAILY_EIPS, world.daily.today(DAILY_EIPS, call.now), quotas.daily_eip_applications),
        (
            "DAILY_PUBLIC_IP_ASSIGN",
            world.daily.today("DAILY_PUBLIC_IP_ASSIGN", call.now),
            quotas.daily_public_ip_assignments,
        ),
        ("LOCALBGP_EIP_QUOTA", 0, 10),
        ("SINGLEISP_EIP_QUOTA", len(world.eips(single_isp=True)), quotas.single_isp_eips),
        (
            DAILY_SINGLE_ISP,
            world.daily.today(DAILY_SINGLE_ISP, call.now),
            quotas.daily_single_isp_applications,
        ),
    )
    return {
        "QuotaSet": [
            {"QuotaId": name, "QuotaCurrent": current, "QuotaLimit": limit, "QuotaGroup": world.config.region}
            for name, current, limit in rows
        ]
    }


ACTIONS = (
    Action(
        name="DescribeNetworkAccountType",
        product="vpc",
        handler=describe_network_account_type,
        parameters=Record({}),
        rate=20,
        cam=CamNames(service="vpc", resource="*"),
    ),
    Action(
        name="DescribeAddressQuota",
        product="vpc",
        handler=describe_address_quota,
        parameters=Record({}),
        rate=10,
        cam=CamNames(service="cvm", resource="eip"),
    ),
)
