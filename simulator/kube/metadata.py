"""Checks of an object's metadata, on a create and on an update.

Pure; returns field errors in the server's words. Source: `apimachinery/pkg/api/validation` and "Object Names
and IDs", "Labels and Selectors", "Finalizers", "Owners and Dependents" in the Kubernetes documentation.
"""

from collections.abc import Mapping

from simulator.kube import names, objects
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, forbidden_field, invalid_value, required

_ANNOTATIONS_LIMIT = 256 * 1024
_STANDARD_FINALIZERS = frozenset({objects.ORPHAN, objects.FOREGROUND, "kubernetes"})


def check_create(meta: Obj, rule: names.NameRule, *, namespaced: bool) -> list[FieldError]:
    """List what is wrong in the metadata of a new object."""
    errors: list[FieldError] = []
    name = meta.get("name") or ""
    if name:
        errors += [invalid_value("metadata.name", name, text) for text in rule(name)]
    else:
        errors.append(required("metadata.name", "name or generateName is required"))
    if not namespaced and meta.get("namespace"):
        errors.append(forbidden_field("metadata.namespace", "not allowed on this type"))
    return errors + check_content(meta)


def check_finalizers(meta: Obj) -> list[FieldError]:
    """List the finalizers that no built-in kind may have: neither standard nor with a domain."""
    detail = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid_value(f"metadata.finalizers[{index}]", finalizer, detail)
        for index, finalizer in enumerate(meta.get("finalizers") or [])
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS
    ]


def check_update(meta: Obj, old: Mapping[str, object]) -> list[FieldError]:
    """List what an update may not have changed in the metadata."""
    errors: list[FieldError] = []
    if old.get("deletionTimestamp"):
        before = old.get("finalizers") or []
        added = sorted(set(meta.get("finalizers") or []) - set(before if isinstance(before, list) else []))
        if added:
            listing = ", ".join(f'"{item}"' for item in added)
            detail = "no new finalizers can be added if the object is being deleted, found new finalizers "
            errors.append(forbidden_field("metadata.finalizers", f"{detail}[]string{{{listing}}}"))
    errors += [
        invalid_value(f"metadata.{field}", meta.get(field), "field is immutable")
        for field in (
            "name",
            "namespace",
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        )
        if meta.get(field) != old.get(field)
    ]
    return errors + check_content(meta)


def check_content(meta: Obj) -> list[FieldError]:
    """List what is wrong in labels, annotations, finalizers and owner references."""
    return _check_maps(meta) + _check_references(meta)


def _check_maps(meta: Obj) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in (meta.get("labels") or {}).items():
        errors += [invalid_value("metadata.labels", key, text) for text in names.qualified_name(key)]
        errors += [invalid_value("metadata.labels", value, text) for text in names.label_value(value)]
    annotations: dict[str, str] = meta.get("annotations") or {}
    for key in annotations:
        errors += [
            invalid_value("metadata.annotations", key, text) for text in names.qualified_name(key.lower())
        ]
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        detail = f"may not be more than {_ANNOTATIONS_LIMIT} bytes"
        errors.append(FieldError("FieldValueTooLong", "metadata.annotations", "", detail))
    finalizers = meta.get("finalizers") or []
    if objects.ORPHAN in finalizers and objects.FOREGROUND in finalizers:
        detail = f"finalizer {objects.ORPHAN} and {objects.FOREGROUND} cannot be both set"
        errors.append(invalid_value("metadata.finalizers", finalizers, detail))
    for finalizer in finalizers:
        errors += [
            invalid_value("metadata.finalizers", finalizer, text) for text in names.qualified_name(finalizer)
        ]
    return errors


def _check_references(meta: Obj) -> list[FieldError]:
    field = "metadata.ownerReferences"
    errors: list[FieldError] = []
    controllers = []
    for reference in meta.get("ownerReferences") or []:
        for member in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(member):
                detail = "version must not be empty" if member == "apiVersion" else "must not be empty"
                errors.append(invalid_value(f"{field}.{member}", reference.get(member) or "", detail))
        if reference.get("controller"):
            controllers.append(f"{reference.get('kind')}/{reference.get('name')}")
    if len(controllers) > 1:
        detail = 'Only one reference can have Controller set to true. Found "true" in references for '
        errors.append(invalid_value(field, meta["ownerReferences"], detail + " and ".join(controllers[:2])))
    return errors
