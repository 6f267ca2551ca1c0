"""The cloud API on the wire: HTTP in, a call of the region, `Response` JSON out.

API v3 as the document "Request structure" (213/15692) has it: POST with a JSON body, or GET with a query; the
action, version, region and token in X-TC headers; the product in the scope of the signature, so that one port
serves all products. Every answer has status 200 and the exact content type `application/json`; anything else
is an injected fault. Thread-safe; keeps no state of its own.
"""

import dataclasses
import json
import logging
import socket
import urllib.parse
import uuid
from collections.abc import Sequence
from typing import Any

from simulator.cloud import signature, situations
from simulator.cloud.actions import catalog
from simulator.cloud.actions.action import Action
from simulator.cloud.calls import ApiRequest
from simulator.cloud.faults import FaultKind
from simulator.cloud.parameters import from_query
from simulator.cloud.region import CloudRegion
from simulator.cloud.situations import ApiError
from simulator.http_server import HttpReply, HttpRequest, HttpServer

log = logging.getLogger(__name__)

JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


class CloudServer(HttpServer):
    """Serves a region on listening sockets."""

    def __init__(self, region: CloudRegion, sockets: Sequence[socket.socket]) -> None:
        """Start to serve; the region stays its owner's to close, after this."""
        self._region = region
        super().__init__(sockets, self._answer, wall=region.wall)

    def _answer(self, http: HttpRequest) -> HttpReply | None:
        reply = self._answered(http)
        name = http.headers.get("x-tc-action", "")
        if reply is not None and self._region.faults.take(name, FaultKind.NO_DATE):
            return dataclasses.replace(reply, dated=False)
        return reply

    def _answered(self, http: HttpRequest) -> HttpReply | None:
        request_id = str(uuid.uuid4())
        try:
            return self._perform(self._authenticated(http, request_id))
        except ApiError as e:
            return _reply({"Error": {"Code": e.code, "Message": e.message}}, request_id)
        except Exception as e:  # a defect here must look like the cloud's own and be found in the log
            log.exception("request %s failed", request_id)
            error = situations.SERVER_FAULT.error(reason=repr(e))
            return _reply({"Error": {"Code": error.code, "Message": error.message}}, request_id)

    def _authenticated(self, http: HttpRequest, request_id: str) -> ApiRequest:
        content_type = http.headers.get("content-type", "")
        if (http.method, content_type.partition(";")[0]) not in (("POST", JSON), ("GET", _FORM)):
            raise situations.PROTOCOL_UNSUPPORTED.error(content_type=JSON)
        name = _header(http, "Action")
        if "authorization" not in http.headers:
            raise situations.NO_AUTHORIZATION.error(reason="it is missing")
        authorization = signature.parse_authorization(http.headers["authorization"])
        signature.check_time(authorization, _header(http, "Timestamp"), self._region.wall())
        message = signature.SignedMessage(
            method=http.method, path=http.path, query=http.query, headers=http.headers, body=http.body
        )
        accounts = self._region.accounts
        signature.check_signature(message, authorization, accounts.secret_key(authorization.secret_id))
        principal = accounts.principal(authorization.secret_id, http.headers.get("x-tc-token", ""))
        action = catalog.find(authorization.service, _header(http, "Version"), name)
        region = _header(http, "Region")
        if region != self._region.config.region:
            raise situations.REGION_UNSUPPORTED.error(region=region)
        return ApiRequest(
            principal=principal,
            action=action,
            params=_parameters(http, action),
            request_id=request_id,
            pause=self.stopping.wait,
            source=http.peer,
        )

    def _perform(self, request: ApiRequest) -> HttpReply | None:
        name, faults = request.action.name, self._region.faults
        if fault := faults.take(name, FaultKind.TIMEOUT_BEFORE):
            self.stopping.wait(fault.seconds)
            return None
        if faults.take(name, FaultKind.HTTP_500):
            return HttpReply(status=500, content_type="text/html", body=b"<h1>500 Internal Server Error</h1>")
        response = self._region.calls.execute(request)
        if fault := faults.take(name, FaultKind.TIMEOUT_AFTER):
            self.stopping.wait(fault.seconds)
            return None
        reply = _reply(response, request.request_id)
        if faults.take(name, FaultKind.BROKEN_JSON):
            return dataclasses.replace(reply, body=reply.body[: len(reply.body) // 2])
        return reply


def _reply(response: dict[str, Any], request_id: str) -> HttpReply:
    body = json.dumps({"Response": {**response, "RequestId": request_id}}, ensure_ascii=False)
    return HttpReply(content_type=JSON, body=body.encode())


def _header(http: HttpRequest, name: str) -> str:
    value = http.headers.get(f"x-tc-{name.lower()}")
    if not value:
        raise situations.PARAMETER_MISSING.error(name=name)
    return value


def _parameters(http: HttpRequest, action: Action) -> dict[str, Any]:
    if http.method == "GET":
        pairs = dict(urllib.parse.parse_qsl(http.query, keep_blank_values=True))
        return from_query(pairs, action.parameters)
    try:
        params = json.loads(http.body)
    except ValueError as e:
        raise situations.BODY_NOT_JSON.error(reason=str(e)) from e
    if not isinstance(params, dict):
        raise situations.BODY_NOT_JSON.error(reason=f"it is a {type(params).__name__}")
    return params
