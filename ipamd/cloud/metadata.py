"""The metadata service of a CVM: who this node is, what ENIs it has, and its role's credential.

Document 213/4934 (instance metadata). Plain HTTP on a link-local address, so nothing that it says is taken
unchecked: answers are bounded in size and time, and every value must look like what it is meant to be. No
proxy is ever used. Thread safety: share `Metadata` freely.
"""

import email.utils
import http.client
import ipaddress
import json
import re
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any, Final

from ipamd.cloud.credentials import Credential
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import InvalidInputError
from ipamd.core.places import METADATA_URL
from ipamd.core.text import no_answer
from ipamd.runtime.reachability import Reachability

ADDRESS = "169.254.0.23"
"""What that name means on CVMs. The document names no address; other programs have this one built in."""
_ROOT = "/latest/meta-data/"
_LONGEST_BODY = 64 << 10
_MOST_LINES = 512

_INSTANCE_ID = re.compile(r"ins-[0-9a-z]{1,32}")
_VPC_ID = re.compile(r"vpc-[0-9a-z]{1,32}")
_SUBNET_ID = re.compile(r"subnet-[0-9a-z]{1,32}")
_PLACE = re.compile(r"[a-z]{2,}(-[a-z0-9]+){1,4}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_SECRET = re.compile(r"[!-~]{1,8192}")
"""Printable ASCII: it goes into a header of each request."""
_LATEST = 1e11
"""Seconds since 1970; NaN and infinity would be good for ever."""
_ROLE = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataInterface:
    """One ENI of this CVM as its metadata describes it."""

    mac: str
    """Lower case, colon-separated."""
    primary_ip: str
    vpc_id: str
    subnet_id: str
    gateway: str
    """Of the primary address; the same for all addresses of a subnet."""
    local_ipv4s: tuple[str, ...]
    """All addresses, the primary one included."""


class Metadata:
    """Asks the metadata service; one connection for each question, as there are few.

    Raises CloudError: UNKNOWN_OUTCOME when the service does not answer, NOT_FOUND for what this CVM does not
    have, INTERNAL for an answer that cannot be true.
    """

    def __init__(self, base_url: str = METADATA_URL, *, timeout: float = 2.0) -> None:
        """Take the service's address, with or without the path of its root, and seconds for each question."""
        url = urllib.parse.urlsplit(base_url)
        if url.scheme != "http" or not url.hostname:
            raise InvalidInputError(
                f"metadata address {base_url!r} is not understood",
                advice=f"give http://host, as {METADATA_URL}",
            )
        self._host = url.hostname
        self._port = url.port or 80
        self._root = (url.path.rstrip("/") + "/") if url.path.strip("/") else _ROOT
        self._timeout = timeout
        self.reachability: Final = Reachability("metadata")

    def answered_at(self) -> float | None:
        """Return when the service answered the last time, by the monotonic clock; None for never."""
        return self.reachability.answered_at

    def instance_id(self) -> str:
        """Return the id of this CVM (ins-...)."""
        return self._matching("instance-id", _INSTANCE_ID)

    def region(self) -> str:
        """Return the region, for example ap-guangzhou."""
        return self._matching("placement/region", _PLACE)

    def zone(self) -> str:
        """Return the availability zone, for example ap-guangzhou-3."""
        return self._matching("placement/zone", _PLACE)

    def mac(self) -> str:
        """Return the MAC of the primary ENI, lower case."""
        return _checked_mac(self._read("mac"), "mac")

    def interfaces(self) -> list[MetadataInterface]:
        """Return every ENI that the service lists, in its order."""
        path = "network/interfaces/macs/"
        return [self._interface(path, name) for name in self._lines(path)]

    def credential(self) -> Credential:
        """Return the temporary credential of the CVM's CAM role; NOT_FOUND if it has none."""
        folder = "cam/security-credentials/"
        roles = self._lines(folder)
        if not roles or not _ROLE.fullmatch(roles[0]):
            raise cloud_error(_question(folder), "ClientNotFound", "the CVM has no CAM role")
        path = folder + roles[0]
        try:
            page = self._page(path)
            answer: Any = json.loads(page.text)
        except (ValueError, RecursionError) as e:
            raise _unlikely(path, "a credential that is not JSON") from e
        if not isinstance(answer, dict) or answer.get("Code") != "Success":
            raise _unlikely(path, "no credential: its Code is not Success")
        texts = [answer.get(name) for name in ("TmpSecretId", "TmpSecretKey", "Token")]
        expires_at = answer.get("ExpiredTime")
        if not all(isinstance(text, str) and _SECRET.fullmatch(text) for text in texts):
            raise _unlikely(path, "a credential without a proper TmpSecretId, TmpSecretKey and Token")
        if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
            raise _unlikely(path, "a credential whose ExpiredTime is no number")
        if not 0 <= expires_at <= _LATEST:
            raise _unlikely(path, "a credential whose ExpiredTime is no time")
        secret_id, secret_key, token = (str(text) for text in texts)
        return Credential(
            secret_id=secret_id, secret_key=secret_key, token=token, lifetime=expires_at - page.dated
        )

    def _interface(self, folder: str, name: str) -> MetadataInterface:
        # The service spells MACs in capitals and its paths are case-sensitive: ask as it spells.
        mac = _checked_mac(name, folder)
        path = f"{folder}{name}/"
        addresses = tuple(
            _checked_ip(line, f"{path}local-ipv4s/") for line in self._lines(f"{path}local-ipv4s/")
        )
        primary = _checked_ip(self._read(f"{path}primary-local-ipv4"), f"{path}primary-local-ipv4")
        gateway = f"{path}local-ipv4s/{primary}/gateway"
        return MetadataInterface(
            mac=mac,
            primary_ip=primary,
            vpc_id=self._matching(f"{path}vpc-id", _VPC_ID),
            subnet_id=self._matching(f"{path}subnet-id", _SUBNET_ID),
            gateway=_checked_ip(self._read(gateway), gateway),
            local_ipv4s=addresses,
        )

    def _matching(self, path: str, pattern: re.Pattern[str]) -> str:
        text = self._read(path)
        if not pattern.fullmatch(text):
            raise _unlikely(path, repr(text[:80]))
        return text

    def _lines(self, path: str) -> list[str]:
        """Return the entries of a folder, without the slash that ends those which are folders themselves."""
        lines = [line.strip().rstrip("/") for line in self._read(path).splitlines()]
        if len(lines) > _MOST_LINES:
            raise _unlikely(path, f"{len(lines)} entries")
        return [line for line in lines if line]

    def _read(self, path: str) -> str:
        return self._page(path).text

    def _page(self, path: str) -> "_Page":
        try:
            page = self._asked(path)
        except CloudError as e:
            if e.is_silence:
                self.reachability.failed(e.message)
            else:
                self.reachability.refused()
            raise
        self.reachability.answered()
        return page

    def _asked(self, path: str) -> "_Page":
        until = time.monotonic() + self._timeout
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        body = bytearray()
        try:
            connection.request("GET", self._root + path)
            response = connection.getresponse()
            while len(body) <= _LONGEST_BODY and time.monotonic() < until:
                chunk = response.read1(_LONGEST_BODY)
                body += chunk
                if not chunk:
                    break
        except (OSError, http.client.HTTPException) as e:
            where = f"http://{self._host}:{self._port}"
            message = f"no answer from the metadata service {where}: {no_answer.cause(e)}"
            raise cloud_error(_question(path), "ClientNetworkError", message) from e
        finally:
            connection.close()
        if len(body) > _LONGEST_BODY or not response.isclosed() or response.length:
            raise cloud_error(
                _question(path), "ClientBrokenAnswer", "the answer is too long, too slow or cut"
            )
        if response.status == http.client.NOT_FOUND:
            raise cloud_error(_question(path), "ClientNotFound", "the metadata service does not know it")
        if response.status != http.client.OK:
            raise cloud_error(
                _question(path), "ServerNetworkError", f"the metadata service answered {response.status}"
            )
        try:
            text = body.decode("ascii").strip()
        except UnicodeDecodeError as e:
            raise _unlikely(path, "text that is not ASCII") from e
        return _Page(text, _date(response.getheader("Date", "")))


@dataclass(frozen=True, slots=True)
class _Page:
    text: str
    dated: float
    """Seconds since 1970 when it was answered, by the service's own clock if it says."""


def _date(header: str) -> float:
    """Return the time in a Date header, in whole seconds; without a readable one the node's own.

    The node's clock may be wrong, so it is the last resort, and only asked for what another clock has dated.
    """
    try:
        return email.utils.parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return time.time()


def addresses(base_url: str) -> frozenset[str]:
    """Return where CVMs reach the service: the known address, and that of the URL if it is a link-local one.

    Others are left out: a stand-in for the service, at the node's own address for example, has other ports.
    """
    try:
        host = ipaddress.IPv4Address(urllib.parse.urlsplit(base_url).hostname or "")
    except ValueError:
        return frozenset({ADDRESS})
    return frozenset({ADDRESS, str(host)} if host.is_link_local else {ADDRESS})


def _question(path: str) -> str:
    """Return how errors name a question, in the place of an API action."""
    return f"metadata {path}"


def _unlikely(path: str, what: str) -> Exception:
    return cloud_error(_question(path), "ClientUnexpectedAnswer", f"the metadata service answered {what}")


def _checked_mac(text: str, path: str) -> str:
    mac = text.strip().lower()
    if not _MAC.fullmatch(mac):
        raise _unlikely(path, f"{text[:80]!r} for a MAC address")
    return mac


def _checked_ip(text: str, path: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as e:
        raise _unlikely(path, f"{text[:80]!r} for an IPv4 address") from e
