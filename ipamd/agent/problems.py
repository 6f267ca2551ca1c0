"""What keeps the node from taking Pods, and what else an operator has to know, in one place for people.

Each part of the agent tells its own; here they are put in their order.
Thread safety: any thread may call any method.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ipamd.agent.components import NodeComponents
from ipamd.core.kubernetes.node_condition import NodeProblem, NodeReason, Weight
from ipamd.runtime.metric import Metric, gauge

Sentences = Callable[[], list[str]]
"""Returns one sentence for each thing that is wrong now."""
Source = Callable[[], Sequence[NodeProblem]]


def harms(reason: NodeReason, sentences: Sentences) -> Source:
    """Return a source of problems that all have one reason, and from which Pods suffer."""
    return lambda: [
        NodeProblem(reason=reason.value, message=text, weight=Weight.HARM) for text in sentences()
    ]


class NodeProblems:
    """The problems of one node."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        disturbances: Sentences,
        notices: Sequence[Sentences],
        components: NodeComponents,
    ) -> None:
        """Take who tells what is wrong with the node, and who tells what keeps no Pod from it.

        Of the latter `disturbances` are to be ended by somebody, `notices` to be known. `components` have the
        same by what the node depends on.
        """
        self._disturbances: Final = disturbances
        self.components: Final = components
        self._sources: Final = tuple(sources)
        self._notices: Final = tuple(notices)

    def entries(self) -> list[NodeProblem]:
        """Return all that an operator of the node has to know, with its reason and weight."""
        return [problem for source in self._sources for problem in source()]

    def problems(self) -> list[str]:
        """Return one sentence for each reason why the node cannot take Pods, or not all kinds of Pods."""
        return [problem.message for problem in self.entries() if problem.weight is Weight.HARM]

    def all_problems(self) -> list[str]:
        """Return the same, and what is wrong without keeping any Pod from the node."""
        return [*self.problems(), *self._disturbances()]

    def notices(self) -> list[str]:
        """Return one sentence for each thing that keeps no Pod from the node, and that is to be known."""
        return [sentence for source in self._notices for sentence in source()]

    def metrics(self) -> Iterator[Metric]:
        """Yield how many problems there are."""
        yield gauge(
            "tke_eni_node_problems",
            "Reasons why the node cannot take Pods, or not all kinds (ipamctl status).",
            len(self.problems()),
        )
