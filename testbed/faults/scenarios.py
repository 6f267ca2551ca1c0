"""All scenarios, in the order in which they are performed."""

from collections.abc import Sequence
from typing import Final

from testbed.faults.change_scenarios import ChargeTypeChanged, EipChanged
from testbed.faults.fixed_scenarios import FixedLife
from testbed.faults.node_scenarios import Configured
from testbed.faults.pod_scenarios import (
    Add,
    AddWithEip,
    AddWithEipOfList,
    AddWithOwnEni,
    Burst,
    ClaimDeleted,
    Delete,
    DeleteWithEip,
    DeleteWithOwnEni,
    Drain,
    NewSandbox,
    Retained,
    SandboxDied,
)
from testbed.faults.pool_scenarios import PoolLife
from testbed.faults.scenario import Scenario
from testbed.faults.start_scenarios import (
    AgentStart,
    ControllerStart,
    EniLost,
    FirstLease,
    FirstStart,
    ObjectsOfOthers,
    StoreLost,
    TableOfAnother,
)

SCENARIOS: Final[Sequence[type[Scenario]]] = (
    FirstStart,
    FirstLease,
    Add,
    AddWithEip,
    AddWithEipOfList,
    Delete,
    DeleteWithEip,
    NewSandbox,
    SandboxDied,
    Retained,
    ClaimDeleted,
    EipChanged,
    ChargeTypeChanged,
    PoolLife,
    FixedLife,
    AddWithOwnEni,
    DeleteWithOwnEni,
    Burst,
    Drain,
    Configured,
    AgentStart,
    EniLost,
    StoreLost,
    TableOfAnother,
    ControllerStart,
    ObjectsOfOthers,
)
