"""How claims of either kind are listed: a row for each, and below the table what is wrong. Pure."""

from collections.abc import Sequence

from ipamd.ctl import ages
from ipamd.ctl.shape import Block, Column, Line, Plain, Shape, Table


def shape(kind: str, columns: Sequence[Column]) -> Shape:
    """Return how the claims of a kind are shown; `columns` stand between reason and age.

    Rows have at least namespace, name, phase, reason, problem and createdAt.
    """
    shown = (
        Column("NAMESPACE", lambda row: row["namespace"]),
        Column("CLAIM", lambda row: row["name"]),
        Column("PHASE", lambda row: row["phase"]),
        Column("REASON", lambda row: row["reason"]),
        *columns,
    )

    def blocks(answer: Plain, now: float) -> Sequence[Block]:
        age = Column("AGE", lambda row: ages.since(row["createdAt"], now))
        entries = answer["claims"]
        empty = f"no {kind} has a problem" if answer["onlyProblems"] else f"there is no {kind}"
        problems = [Line("PROBLEM", f"{_name(row)}: {row['problem']}") for row in entries if row["problem"]]
        return [Table((*shown, age), entries, empty=empty), *problems]

    return Shape(blocks, lambda answer: [_name(row) for row in answer["claims"]])


def _name(row: Plain) -> str:
    return f"{row['namespace']}/{row['name']}"
