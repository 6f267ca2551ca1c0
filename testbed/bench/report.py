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
    missing = {
        name: results.missing.get(name.split(" ")[0], "no part measures it")
        for name in aims.unmeasured(results.figures)
    }
    return {
        **{key: _medians(figure) for key, figure in named.items()},
        "spread": {key: _spreads(figure) for key, figure in results.figures.items()},
        "missing": missing,
        "machine": dict(machine),
        "series": results.series,
    }


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
