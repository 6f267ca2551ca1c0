"""The parts of a status page, and the whole of it, with what a browser may do with it."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from ipamd.endpoint import Answer
from ipamd.page.markup import Child, Element, document, tag

REFRESH_SECONDS: Final = 5
MOST_ROWS: Final = 500
"""Of a table."""

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .2rem .6rem .2rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }
td:last-child { overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; } code, td.mono { font: 12.5px ui-monospace, monospace; }
.error, .warning, .info, .good { border-left: 4px solid; padding: .1rem 0 .1rem .6rem; margin: .3rem 0; }
.error { border-color: #d33; } .warning { border-color: #e90; } .info { border-color: #39f; }
.good { border-color: #2a4; } .advice { color: var(--soft); display: block; }
.slot { stroke: #8888; } .primary { fill: #90a4ae; } .pod { fill: #3f7fd0; } .held { fill: #a77bd0; }
.cooling { fill: #4db6ac; } .quarantined { fill: #d9534f; } .free { fill: #8bc34a; }
.none { fill: none; stroke-dasharray: 2 2; }
.letter { fill: #fff; font: 700 10px sans-serif; text-anchor: middle; }
.legend { color: var(--soft); } .key { margin-right: 1.2rem; white-space: nowrap; }
svg { vertical-align: middle; } meter { width: 12rem; }
.log { list-style: none; margin: 0; padding: 0; font: 12.5px/1.6 ui-monospace, monospace; }
.log li { overflow-wrap: anywhere; } .log .WARNING { color: #c77700; }
.log .ERROR, .log .CRITICAL { color: #d33; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Nothing is loaded, run, sent or framed; the one style is known by its digest.
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)


def page(title: str, subtitle: str, sections: Iterable[Element]) -> Answer:
    """Return the page; it asks for itself again every few seconds, without a script."""
    root = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="refresh", content=REFRESH_SECONDS),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", title),
            # Not by `tag`: its line ends would be shown as such. Only this text is known by its digest.
            _style(),
        ),
        tag("body", tag("h1", title), tag("p", subtitle, class_="soft"), *sections),
        lang="en",
    )
    return Answer(status=200, body=document(root), content_type="text/html; charset=utf-8", headers=HEADERS)


def section(title: str, *content: Child) -> Element:
    """Return a part with a heading."""
    return tag("section", tag("h2", title), *content)


def table(head: Sequence[str], rows: Sequence[Sequence[Child]], empty: str) -> Element:
    """Return a table, or what is said where there is nothing to list; the first rows of a long one."""
    if not rows:
        return tag("p", empty, class_="soft")
    more = len(rows) - MOST_ROWS
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", cell) for cell in head))),
            tag("tbody", *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows[:MOST_ROWS])),
        ),
        tag("p", f"and {more} more", class_="soft") if more > 0 else None,
    )


def note(level: str, text: str, advice: str = "") -> Element:
    """Return one thing to know: `level` is error, warning, info or good."""
    return tag("div", text, tag("span", advice, class_="advice") if advice else None, class_=level)


def log(lines: Iterable[tuple[float, str, str]]) -> Element:
    """Return what was logged, as seconds ago, level and message; the newest first."""
    items = [
        tag("li", tag("span", f"{age(seconds)} ago  {level}  ", class_=level), message)
        for seconds, level, message in lines
    ]
    return tag("ul", *items, class_="log") if items else tag("p", "nothing yet", class_="soft")


def age(seconds: float) -> str:
    """Return a duration in its largest two units."""
    whole = max(0, round(seconds))
    for unit, name, below, lesser in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit}{name}{rest}{lesser}" if rest else f"{whole // unit}{name}"
    return f"{whole}s"


def _style() -> Element:
    element = tag("style")
    element.text = _STYLE
    return element
