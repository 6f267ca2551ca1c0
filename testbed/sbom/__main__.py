"""`make sbom`: write the bill of materials of the image; the same bytes for the same image."""

import argparse
import datetime as dt
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

# mypy runs without the environment that has them.
from cyclonedx.model.bom import Bom, BomMetaData  # type: ignore[import-not-found]
from cyclonedx.model.component import Component, ComponentType  # type: ignore[import-not-found]
from cyclonedx.output.json import JsonV1Dot5  # type: ignore[import-not-found]
from packageurl import PackageURL  # type: ignore[import-not-found]

from testbed.sbom.inventory import Inventory, Part, of_archive

_NAMESPACE = uuid.UUID("6f2f3a4e-1f6c-5a63-9c64-7d9b1f0c7e11")
"""Of our serial numbers: one is made of the image's digest."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the archive, write the bill, say how many parts there are."""
    parser = argparse.ArgumentParser(prog="python -m testbed.sbom", description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args(arguments)
    found = of_archive(options.archive)
    options.output.write_text(text_of(found), "utf-8")
    print(f"{options.output}: {len(found.parts)} packages in {found.name} ({found.architecture})")
    return 0


def text_of(inventory: Inventory) -> str:
    """Return the bill of materials as CycloneDX 1.5 JSON."""
    name, _, version = inventory.name.rpartition(":")
    image = Component(name=name, version=version, type=ComponentType.CONTAINER, bom_ref=inventory.digest)
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, inventory.digest),
        version=1,
        metadata=BomMetaData(
            component=image,
            timestamp=dt.datetime.fromisoformat(inventory.created),
        ),
        components=[_component(part) for part in inventory.parts],
    )
    bom.register_dependency(image, bom.components)
    return str(JsonV1Dot5(bom).output_as_string(indent=2)) + "\n"


def _component(part: Part) -> Component:
    namespace = "debian" if part.kind == "deb" else None
    qualifiers = {"arch": part.architecture} if part.architecture else None
    purl = PackageURL(part.kind, namespace, part.name, part.version, qualifiers)
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
    )


if __name__ == "__main__":
    sys.exit(main())
