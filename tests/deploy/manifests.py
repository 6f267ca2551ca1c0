"""What stands in deploy/, as Python values."""

from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
Obj = dict[str, Any]


def read(name: str) -> Obj:
    """Return the only document of a file."""
    document: Obj = yaml.load((DEPLOY / name).read_text(), yaml.CSafeLoader)
    return document


def documents(*names: str) -> list[Obj]:
    """Return the objects of these files, of all files of the kustomization without names."""
    listed = names or read("kustomization.yaml")["resources"]
    return [obj for name in listed for obj in yaml.load_all((DEPLOY / name).read_text(), yaml.CSafeLoader)]


def one(kind: str, name: str, *files: str) -> Obj:
    """Return the only object of a kind and name."""
    (found,) = [obj for obj in documents(*files) if (obj["kind"], obj["metadata"]["name"]) == (kind, name)]
    return found
