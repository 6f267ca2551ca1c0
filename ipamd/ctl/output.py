"""How every command shows what it found: a table for people, JSON for programs."""

import argparse


def flags() -> argparse.ArgumentParser:
    """Return a parent parser with `-o`."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "-o",
        "--output",
        choices=("table", "json"),
        default="table",
        help="table or json (default: %(default)s)",
    )
    return parent
