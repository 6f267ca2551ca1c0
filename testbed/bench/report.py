"""What is written of a run: build/bench.json as a value. Pure."""

from collections.abc import Mapping
from typing import Any

from testbed.bench import aims
from testbed.bench.part import Results
from testbed.bench.spread import Spread


def facts(results: Results, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return the median of each key (by size where it has several), and all else that is known of it.

    Every key of `aims` is there; what was not measured is null, with its reason under `missing`.
    """
    keys = dict.fromkeys(aim.key for aim in aims.AIMS)
    named = {**keys, **results.figures}
    return {
        **{key: _medians(figure) for key, figure in named.items()},
        "spread": {key: _spreads(figure) for key, figure in results.figures.items()},
        "missing": missing(results),
        "machine": dict(machine),
        "series": results.series,
    }


def missing(results: Results) -> dict[str, str]:
    """Return the reason by aim that was not measured, and by other key that a part has not given."""
    of_aims = {
        aim.name: results.missing.get(aim.key, "no part measures it")
        for aim in aims.AIMS
        if aim.of(results.figures) is None
    }
    known = {aim.key for aim in aims.AIMS}
    return of_aims | {key: reason for key, reason in results.missing.items() if key not in known}


def _medians(figure: Spread | Mapping[str, Spread] | None) -> Any:
    match figure:
        case None:
            return None
        case Spread():
            return round(figure.median, 4)
        case _:
            return {size: round(spread.median, 4) for size, spread in figure.items()}


def _spreads(figure: Spread | Mapping[str, Spread]) -> Any:
    if isinstance(figure, Spread):
        quartiles = [round(figure.low, 4), round(figure.high, 4)]
        return {"median": round(figure.median, 4), "quartiles": quartiles, "n": figure.n}
    return {size: _spreads(spread) for size, spread in figure.items()}
