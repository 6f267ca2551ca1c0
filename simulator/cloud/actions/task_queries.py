"""How an accepted write ended: DescribeTaskResult for EIPs, DescribeVpcTaskResult for ENIs. Reads only.

The EIP actions answer with a task number as text, which DescribeTaskResult wants as an integer (document
215/36271); the ENI actions are asked for by the RequestId of their answer (document 215/59037).
"""

from simulator.cloud import situations
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject
from simulator.cloud.parameters import INTEGER, TEXT, Record
from simulator.cloud.state.world import World


def describe_task_result(world: World, call: Call) -> JsonObject:
    """DescribeTaskResult: by number; orders (DealName) are not kept here."""
    task_id = call.params.get("TaskId")
    if task_id is None and "DealName" not in call.params:
        raise situations.PARAMETER_MISSING.error(name="TaskId")
    task = world.tasks.get(task_id or 0)
    if task is None:
        raise situations.EIP_TASK_UNKNOWN.error(task_id=task_id or call.params.get("DealName"))
    return {"TaskId": task.task_id, "Result": task.status}


def describe_vpc_task_result(world: World, call: Call) -> JsonObject:
    """DescribeVpcTaskResult: by the RequestId of the write."""
    task = world.tasks.get(world.task_of_request.get(call.params["TaskId"], 0))
    if task is None:
        raise situations.VPC_TASK_UNKNOWN.error(task_id=call.params["TaskId"])
    return {
        "Status": task.status,
        "Output": task.status,
        "Result": [{"ResourceId": resource, "Status": task.status} for resource in task.resource_ids],
    }


ACTIONS = (
    Action(
        name="DescribeTaskResult",
        product="vpc",
        handler=describe_task_result,
        parameters=Record({"TaskId": INTEGER, "DealName": TEXT}),
        rate=20,
        cam=CamNames(service="cvm", resource="eip"),
    ),
    Action(
        name="DescribeVpcTaskResult",
        product="vpc",
        handler=describe_vpc_task_result,
        parameters=Record({"TaskId": TEXT}, required=("TaskId",)),
        rate=20,
        cam=CamNames(service="vpc", resource="task"),
    ),
)
