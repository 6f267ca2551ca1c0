"""Certificates and keys in files: what is wrong with them, and files in memory for what comes as text."""

import os
import ssl
import weakref
from pathlib import Path

from ipamd.kube.connection import Connection


class MemoryFile:
    """A file that only this process sees; it lives as long as the object."""

    def __init__(self, content: bytes) -> None:
        """Take what is in it."""
        descriptor = os.memfd_create("tke-eni", os.MFD_CLOEXEC)
        with os.fdopen(os.dup(descriptor), "wb") as stream:
            stream.write(content)
        self.path = f"/proc/self/fd/{descriptor}"
        weakref.finalize(self, os.close, descriptor)


def fault_of(connection: Connection) -> str:
    """Return which of the connection's files cannot be used, and why; empty if all can."""
    named = (
        ("CA file", connection.ca_file),
        ("client certificate", connection.cert_file),
        ("client key", connection.key_file),
    )
    for name, path in named:
        if path and (why := _unreadable(path)):
            return f"the {name} {path} cannot be read: {why}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if connection.ca_file:
        try:
            context.load_verify_locations(connection.ca_file)
        except ssl.SSLError:
            return f"the CA file {connection.ca_file} holds no certificate in PEM"
    if connection.cert_file:
        try:
            context.load_cert_chain(connection.cert_file, connection.key_file, password=_no_password)
        except _EncryptedError:
            return f"the client key {connection.key_file} is encrypted, and nobody is there to decrypt it"
        except ssl.SSLError as e:
            pair = f"client certificate {connection.cert_file} and key {connection.key_file}"
            mismatch = e.reason == "KEY_VALUES_MISMATCH"
            return f"{pair} do not belong together" if mismatch else f"{pair} are not both in PEM"
    return ""


class _EncryptedError(Exception):
    pass


def _no_password() -> str:
    raise _EncryptedError


def _unreadable(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            stream.read(1)
    except OSError as e:
        return str(e.strerror)
    return ""
