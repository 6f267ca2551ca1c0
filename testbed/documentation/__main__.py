"""`python -m testbed.documentation`: write the tables in the pages, and the schemas of ipamctl."""

from pathlib import Path

from testbed.documentation import pages, schemas, tables

_SCHEMAS = Path("docs/ipamctl-schema")


def main() -> None:
    """Write everything anew that is not what the code says."""
    made = tables.all_of_them()
    for path in pages.with_tables(Path("docs")):
        _write(path, pages.filled(path.read_text(encoding="utf-8"), made))
    _SCHEMAS.mkdir(exist_ok=True)
    for command, schema in schemas.all_of_them().items():
        _write(_SCHEMAS / schemas.file_name(command), schemas.text(schema))


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"{path}: written anew")


if __name__ == "__main__":
    main()
