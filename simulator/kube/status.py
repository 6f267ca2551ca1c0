"""The answers of the API server that are not objects: Status, with reason, code, message and details.

The wording is part of the contract: operators read it, and some clients look into it. Sources: API
conventions ("Response Status Kind"), the package `apimachinery/pkg/api/errors`, and what a real server
answered.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.kube.objects import Obj

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
_TITLES = {
    "FieldValueRequired": "Required value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueTooLong": "Too long",
    "FieldValueDuplicate": "Duplicate value",
}
_VALUELESS = {"FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong"}


class ApiError(Exception):
    """A request that ends with a failure Status; `status` is the body, `headers` go with it."""

    def __init__(self, status: Obj, *, headers: dict[str, str] | None = None) -> None:
        """Take the whole Status."""
        super().__init__(status.get("message", ""))
        self.status = status
        self.code = int(status["code"])
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One cause of an Invalid answer; `kind` is the CauseType."""

    kind: str
    field: str
    value: Any
    detail: str

    def body(self) -> str:
        """Write the cause without its field."""
        title = _TITLES[self.kind]
        if self.kind not in _VALUELESS:
            title += ": " + _go_value(self.value)
        return f"{title}: {self.detail}" if self.detail else title


def required(field: str, detail: str = "") -> FieldError:
    """A field that must be there."""
    return FieldError("FieldValueRequired", field, "", detail)


def invalid_value(field: str, value: Any, detail: str) -> FieldError:
    """A field whose value does not follow its rule."""
    return FieldError("FieldValueInvalid", field, value, detail)


def forbidden_field(field: str, detail: str) -> FieldError:
    """A field that may not be set (so) now."""
    return FieldError("FieldValueForbidden", field, "", detail)


def unsupported(field: str, value: Any, allowed: Sequence[str]) -> FieldError:
    """A field whose value is not in its list."""
    listing = "supported values: " + ", ".join(f'"{item}"' for item in allowed)
    return FieldError("FieldValueNotSupported", field, value, listing)


def _go_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def failure(code: int, reason: str, message: str, details: Obj | None = None) -> Obj:
    """Build a failure Status."""
    body: Obj = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
    }
    if reason:
        body["reason"] = reason
    if details is not None:
        body["details"] = {key: item for key, item in details.items() if item not in ("", None)}
    body["code"] = code
    return body


def success(code: int | None = None, details: Obj | None = None) -> Obj:
    """Build a success Status."""
    body: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details is not None:
        body["details"] = {key: item for key, item in details.items() if item}
    if code is not None:
        body["code"] = code
    return body


def qualified(group: str, resource: str) -> str:
    """Name a resource or kind as error messages do: `deployments.apps`, `pods`."""
    return f"{resource}.{group}" if group else resource


def _about(group: str, resource: str, name: str) -> Obj:
    return {"name": name, "group": group, "kind": resource}


def not_found(group: str, resource: str, name: str) -> ApiError:
    """404: no such object."""
    message = f'{qualified(group, resource)} "{name}" not found'
    return ApiError(failure(404, "NotFound", message, _about(group, resource, name)))


def no_such_resource() -> ApiError:
    """404: no such path in a served group."""
    return ApiError(failure(404, "NotFound", "the server could not find the requested resource", {}))


def already_exists(group: str, resource: str, name: str) -> ApiError:
    """409 of a create."""
    message = f'{qualified(group, resource)} "{name}" already exists'
    return ApiError(failure(409, "AlreadyExists", message, _about(group, resource, name)))


def conflict(group: str, resource: str, name: str, cause: str = MODIFIED) -> ApiError:
    """409 of a write that is not for the state that is stored."""
    message = f'Operation cannot be fulfilled on {qualified(group, resource)} "{name}": {cause}'
    return ApiError(failure(409, "Conflict", message, _about(group, resource, name)))


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422: the object breaks rules, all of which are listed."""
    causes = [{"reason": item.kind, "message": item.body(), "field": item.field} for item in errors]
    texts = list(dict.fromkeys(f"{item.field}: {item.body()}" for item in errors))
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    message = f'{qualified(group, kind)} "{name}" is invalid: {text}'
    return ApiError(failure(422, "Invalid", message, {**_about(group, kind, name), "causes": causes}))


def unprocessable() -> ApiError:
    """422 of a JSON patch that does not apply; the real server does not say why either."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(failure(422, "Invalid", message, {}))


def bad_request(message: str) -> ApiError:
    """400: the request cannot be read."""
    return ApiError(failure(400, "BadRequest", message))


def forbidden(group: str, resource: str, name: str, cause: str, causes: list[Obj] | None = None) -> ApiError:
    """403 by authorization or admission."""
    subject = qualified(group, resource) + (f' "{name}"' if name else "") + " is " if resource else ""
    details: Obj = {**_about(group, resource, name), "causes": causes}
    return ApiError(failure(403, "Forbidden", f"{subject}forbidden: {cause}", details))


def unauthorized() -> ApiError:
    """401: no or a wrong token."""
    return ApiError(failure(401, "Unauthorized", "Unauthorized"))


def not_supported(group: str, resource: str, action: str) -> ApiError:
    """405 of a custom resource: it has the path, but not the method."""
    message = f'{action} is not supported on resources of kind "{qualified(group, resource)}"'
    return ApiError(failure(405, "MethodNotAllowed", message, {"group": group, "kind": resource}))


def method_not_allowed() -> ApiError:
    """405: the path exists, the method does not."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(failure(405, "MethodNotAllowed", message, {}))


def unsupported_media_type(accepted: Sequence[str] = ()) -> ApiError:
    """415: the body is of a type that is not read here. Built-in kinds do not list what is."""
    if not accepted:
        return ApiError(failure(415, "UnsupportedMediaType", "415: Unsupported Media Type", {}))
    message = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(failure(415, "UnsupportedMediaType", message + ", ".join(accepted)))


def expired(message: str, continue_token: str = "") -> ApiError:
    """410: the version asked for is compacted away."""
    body = failure(410, "Expired", message)
    if continue_token:
        body["metadata"]["continue"] = continue_token
    return ApiError(body)


def too_large_version(wanted: int, current: int, retry_seconds: int = 1) -> ApiError:
    """504: a version that this server has not seen (yet)."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details: Obj = {"causes": [cause], "retryAfterSeconds": retry_seconds or None}
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(failure(504, "Timeout", message, details))


def internal(message: str) -> ApiError:
    """500 with the cause in the details."""
    text = f"Internal error occurred: {message}"
    return ApiError(failure(500, "InternalError", text, {"causes": [{"message": message}]}))


def unparsable(version: str) -> str:
    """Word the failure to read a resourceVersion."""
    return f'strconv.ParseUint: parsing "{version}": invalid syntax'


def unreadable_version(version: str) -> ApiError:
    """500 (without a reason, as the real server has it): a resourceVersion of a get or watch is no number."""
    return ApiError(failure(500, "", f'resourceVersion: Invalid value: "{version}": {unparsable(version)}'))
