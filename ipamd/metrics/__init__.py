"""What Prometheus may know of a daemon; nothing is imported or counted without --metrics-address."""

from typing import TYPE_CHECKING

from ipamd.core.errors import InvalidInputError

if TYPE_CHECKING:
    from ipamd.metrics.registry import Metrics


def begin(component: str) -> "Metrics":
    """Return the metrics of this process, counting from now on; InvalidInputError without the library."""
    try:
        from ipamd.metrics.registry import Metrics  # noqa: PLC0415 - 2 MiB that only its users pay
    except ImportError as e:
        raise InvalidInputError(
            f"--metrics-address needs the Python package prometheus-client: {e}",
            advice="install tke-eni[metrics], or leave the flag away",
        ) from e
    return Metrics(component)
