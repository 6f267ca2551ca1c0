"""The files of the chart, as texts: from the manifests and components of deploy/."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

import ipamd
from testbed.chart import choices, patches, template, values
from testbed.chart.template import Expression
from testbed.chart.values import Value
from testbed.documentation import config_map

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
CHART: Final = DEPLOY / "chart"
FIXED: Final = Path(__file__).parent / "fixed"
"""What is in the chart as it stands here."""
_MADE: Final = "{{- /* Made from deploy/%s by `make chart`: change that. */ -}}\n"
Obj = dict[str, Any]


def files() -> Mapping[str, str]:
    """Return the text of each file by its path in the chart."""
    made = {path.relative_to(FIXED).as_posix(): path.read_text("utf-8") for path in FIXED.rglob("*.*")}
    made["Chart.yaml"] = made["Chart.yaml"].replace("VERSION", ipamd.__version__)
    by_file = _objects()
    chosen = _values()
    made["values.yaml"] = "# Made by `make chart`.\n" + values.text(chosen)
    made["values.schema.json"] = values.schema(chosen)
    for name, objects in by_file.items():
        for obj in objects:
            choices.put_in(obj)
        made[f"templates/{name}"] = _MADE % name + _documents(objects)
    for component in choices.COMPONENTS:
        made.update(_of_component(component))
    return made


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield path, default and meaning of each value, for the manual."""
    return values.rows(_values())


def _values() -> Sequence[Value]:
    shipped = [obj for objects in _objects(patched=False).values() for obj in objects]
    return choices.all_values(shipped, {key: meaning for key, _, meaning in config_map.declared()})


def _objects(*, patched: bool = True) -> Mapping[str, list[Obj]]:
    """Return the objects of each file of the kustomization, with what components add to them."""
    by_file = {name: _read(name) for name in _kustomization("")["resources"]}
    for component in choices.COMPONENTS if patched else ():
        # What a component of a component patches is no object of these files.
        if component.value:
            everything = [obj for objects in by_file.values() for obj in objects]
            patches.apply(_kustomization(component.folder), everything, component.condition)
    return by_file


def _of_component(component: choices.Component) -> Iterator[tuple[str, str]]:
    kustomization = _kustomization(component.folder)
    folder = f"components/{component.folder}"
    by_file = {name: _read(f"{folder}/{name}") for name in kustomization.get("resources", ())}
    for part in choices.COMPONENTS:
        if part.folder.startswith(f"{component.folder}/"):
            everything = [obj for objects in by_file.values() for obj in objects]
            patches.apply(_kustomization(part.folder), everything, part.condition)
    for name, objects in by_file.items():
        path = f"{folder}/{name}"
        target = f"templates/{component.folder}-{name}"
        text = (DEPLOY / path).read_text("utf-8")
        if "{{" in text:
            # Another program's templates.
            yield f"files/{name}", text
            inner = f'{{{{ .Files.Get "files/{name}" }}}}\n'
        else:
            inner = _documents(objects)
        yield target, _MADE % path + _if(component.condition, inner)
    for generated in kustomization.get("configMapGenerator", ()):
        config_map, files = _config_map(generated)
        for name in files:
            yield f"files/{name}", (DEPLOY / "components" / component.folder / name).read_text("utf-8")
        target = f"templates/{component.folder}-{generated['name']}.yaml"
        source = f"components/{component.folder}/kustomization.yaml"
        yield target, _MADE % source + _if(component.condition, template.written(config_map))


def _config_map(generator: Mapping[str, Any]) -> tuple[Obj, list[str]]:
    named = dict(entry.split("=", 1) for entry in generator["files"])
    metadata = {
        "name": generator["name"],
        "namespace": generator["namespace"],
        "labels": generator["options"]["labels"],
    }
    data = {key: Expression(f'.Files.Get "files/{name}" | toJson') for key, name in named.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, list(named.values())


def _if(condition: str, text: str) -> str:
    return f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n"


def _documents(objects: Sequence[Obj]) -> str:
    return "---\n".join(template.written(obj) for obj in objects)


def _read(name: str) -> list[Obj]:
    return list(yaml.load_all((DEPLOY / name).read_text("utf-8"), yaml.CSafeLoader))


def _kustomization(component: str) -> Mapping[str, Any]:
    folder = DEPLOY / "components" / component if component else DEPLOY
    text = (folder / "kustomization.yaml").read_text("utf-8")
    found: Mapping[str, Any] = yaml.load(text, yaml.CSafeLoader)
    return found
