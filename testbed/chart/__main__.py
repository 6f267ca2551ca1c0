"""`make chart`: write deploy/chart anew from deploy/."""

import sys

from testbed.chart import chart


def main() -> int:
    """Write what differs, and remove what is no part of the chart any more."""
    made = chart.files()
    for path in sorted(chart.CHART.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(chart.CHART).as_posix() not in made:
            path.unlink()
            print(f"{path}: removed")
    for name, text in made.items():
        path = chart.CHART / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"{path}: written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
