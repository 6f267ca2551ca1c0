"""`python -m testbed.documentation`: write the generated tables into the pages."""

from pathlib import Path

from testbed.documentation import pages, tables


def main() -> None:
    """Write every page anew whose tables are not what the code says."""
    made = tables.all_of_them()
    for path in pages.with_tables(Path("docs")):
        text = path.read_text(encoding="utf-8")
        current = pages.filled(text, made)
        if current != text:
            path.write_text(current, encoding="utf-8")
            print(f"{path}: written anew")


if __name__ == "__main__":
    main()
