"""The region that the cluster is in: three CVMs, and quotas that a day of tests does not use up. Pure."""

from typing import Any

from testbed.cluster.layout import Cvm

CONTROL_PLANE = "control-plane"
WORKERS = "worker-1", "worker-2"
_WORKER_TYPE = "S5.2XLARGE16"
"""8 vCPUs: three public IPs can be bound, so that two Pods with an EIP fit."""

_QUOTAS = {
    "total_eips": 100,
    "daily_eip_applications": 100_000,
    "single_isp_eips": 50,
    "daily_single_isp_applications": 100_000,
}


def region(*, workers: int = len(WORKERS)) -> dict[str, Any]:
    """Give the configuration of the simulator: a CVM for the control plane, and one for each worker."""
    orders = [(CONTROL_PLANE, "S5.LARGE8"), *((name, _WORKER_TYPE) for name in WORKERS[:workers])]
    return {
        "quotas": _QUOTAS,
        "instances": [
            {"name": name, "instance_type": kind, "netns_name": name, "public_ip": True}
            for name, kind in orders
        ],
    }


def cvms(ready: dict[str, Any]) -> list[Cvm]:
    """Give the CVMs of the simulator's ready document in the order of `region`."""
    return [
        Cvm(
            name=name,
            instance_id=found["instance_id"],
            instance_type=found["instance_type"],
            zone=found["zone"],
            private_ip=found["private_ip"],
            public_ip=found["public_ip"],
            netns=found["netns"],
        )
        for name, found in zip((CONTROL_PLANE, *WORKERS), ready["instances"], strict=False)
    ]
