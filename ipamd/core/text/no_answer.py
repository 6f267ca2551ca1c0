"""Why no answer came, in plain words: what libraries of HTTP say names their own objects. Pure.

The system's own words for a failure stand in the `OSError` that the libraries' errors were raised from.
"""

from collections.abc import Iterator


def cause(error: BaseException) -> str:
    """Return what a failed connection or request failed of, such as "connection refused"."""
    for link in _chain(error):
        if told := _told(link):
            return told
    first = error.args[0] if error.args else ""
    return first if isinstance(first, str) and first else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it was raised from, and so on; the nearest first, as a retry has a context."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _told(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        # A certificate that is not accepted has its reason beside the library's place in its code.
        verdict = str(getattr(error, "verify_message", ""))
        return f"its certificate is not accepted: {verdict}" if verdict else error.strerror.lower()
    if "Timeout" in type(error).__name__:
        return "no answer in time"
    return str(error).lower() if isinstance(error, ConnectionError) else ""
