"""What is wrong with a node, in one place: what keeps Pods from it, what does not, and what is only known."""

from ipamd.agent.components import NodeComponent, NodeComponents, outside
from ipamd.agent.problems import NodeProblems, harms
from ipamd.core.kubernetes.node_condition import NodeProblem, NodeReason, Weight
from ipamd.runtime.reachability import Reachability

FULL = NodeProblem(reason="NodeFull", message="the node is full", weight=Weight.FACT)
SOON = NodeProblem(reason="Quota", message="no more addresses", weight=Weight.WARNING)


def samples(metrics):
    return [dict(metric.samples) for metric in metrics]


def test_problems_are_what_pods_suffer_from_and_the_rest_is_told_besides():
    reason = next(iter(NodeReason))
    problems = NodeProblems(
        [harms(reason, lambda: ["a rule is gone", "a route is gone"]), lambda: [FULL, SOON]],
        disturbances=lambda: ["the API server is silent"],
        notices=[lambda: ["it is frozen"], lambda: ["the node is full"]],
        components=NodeComponents([]),
    )

    assert [(entry.reason, entry.message, entry.weight) for entry in problems.entries()] == [
        (reason.value, "a rule is gone", Weight.HARM),
        (reason.value, "a route is gone", Weight.HARM),
        ("NodeFull", "the node is full", Weight.FACT),
        ("Quota", "no more addresses", Weight.WARNING),
    ]
    assert problems.problems() == ["a rule is gone", "a route is gone"]
    assert problems.all_problems() == ["a rule is gone", "a route is gone", "the API server is silent"]
    assert problems.notices() == ["it is frozen", "the node is full"]
    assert samples(problems.metrics()) == [{(): 2}]


def test_each_component_tells_its_troubles_and_since_when_it_was_well():
    now = 100.0
    cloud = Reachability("cloud", monotonic=lambda: 90.0)
    cloud.answered()
    never = Reachability("API server", monotonic=lambda: 90.0)
    components = NodeComponents(
        [
            outside(cloud, lambda: ["it throttles"]),
            outside(never),
            NodeComponent(name="kernel", troubles=list, last_good=lambda: 130.0, detail=lambda: "6.1"),
        ],
        monotonic=lambda: now,
    )

    assert [(c.name, c.age, c.detail, c.troubles) for c in components.look()] == [
        ("cloud", 10.0, "", ("it throttles",)),
        ("API server", None, "", ()),
        ("kernel", 0.0, "6.1", ()),
    ]
    assert samples(components.metrics()) == [{("cloud",): 1, ("API server",): 0, ("kernel",): 0}]


def test_somebody_outside_who_does_not_answer_is_a_trouble():
    now = 100.0
    cloud = Reachability("cloud", monotonic=lambda: now)
    cloud.answered()
    cloud.failed("connection refused")
    now = 200.0

    (seen,) = NodeComponents([outside(cloud, lambda: ["it throttles"])], monotonic=lambda: now).look()

    assert seen.troubles == (*cloud.silence(), "it throttles")
    assert len(cloud.silence()) == 1
