"""libnftables by ctypes: whole tables, chains and rules in nft's own JSON (libnftables-json(5)).

For what is rare (start-up, an ENI more or less, repair), because the library reads the node's whole ruleset
before each change; elements of Pods go through nft_elements.py. Every call is one transaction: all or
nothing.

Thread safety: one call at a time in the process, in the network namespace of the calling thread. The library
lets go of nothing in between; a call takes 0.3 ms on an idle node, some milliseconds on one with many
Services.
"""

import contextlib
import ctypes
import errno
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ipamd.core import errors
from ipamd.net import nft_generation
from ipamd.net.netlink import NETFILTER, NetlinkSocket
from ipamd.runtime import failpoints

_JSON_OUTPUT: Final = 1 << 4  # NFT_CTX_OUTPUT_JSON; input is then read as JSON too
_LIBRARY: Final = "libnftables.so.1"

_lock = threading.Lock()


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as e:
        raise errors.KernelError(
            f"could not load {_LIBRARY}: {e}",
            errno=errno.ENOENT,
            advice="install libnftables1 (part of the agent's image)",
        ) from e
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_free.argtypes = [ctypes.c_void_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    for name in ("nft_ctx_buffer_error", "nft_ctx_buffer_output"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_error_buffer", "nft_ctx_get_output_buffer"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
        getattr(library, name).restype = ctypes.c_char_p
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


def run(commands: Sequence[dict[str, Any]], what: str, step: str) -> list[dict[str, Any]]:
    """Carry out the commands as one transaction and return what they print; KernelError when refused.

    `what` completes "could not …" in an error, `step` is how it is announced (`ipamd.runtime.failpoints`).
    """
    request = json.dumps({"nftables": list(commands)}).encode()
    writes = any("list" not in command for command in commands)
    noted = nft_generation.own_write() if writes else contextlib.nullcontext()
    with _lock, _context() as (library, context), noted, failpoints.failpoint(f"nft.{step}"):
        if library.nft_run_cmd_from_buffer(context, request):
            reason = (library.nft_ctx_get_error_buffer(context) or b"").decode(errors="replace").strip()
            # The library reports only text; of it, the first line says why and the others quote the request.
            first = reason.partition("\n")[0] or "no reason given"
            raise errors.KernelError(f"could not {what}: nft: {first}", errno=_number(first))
        printed = library.nft_ctx_get_output_buffer(context)
    return list(json.loads(printed)["nftables"]) if printed else []


@contextmanager
def _context() -> Iterator[tuple[ctypes.CDLL, int]]:
    library = _load()
    # Without nfnetlink in the kernel the library would end the whole process; this raises KernelError.
    NetlinkSocket(NETFILTER).close()
    context = library.nft_ctx_new(0)
    if not context:
        raise errors.KernelError("could not open nftables", errno=errno.ENOMEM)
    try:
        library.nft_ctx_output_set_flags(context, _JSON_OUTPUT)
        library.nft_ctx_buffer_error(context)
        library.nft_ctx_buffer_output(context)
        yield library, context
    finally:
        library.nft_ctx_free(context)


def _number(reason: str) -> int:
    """Return the error number whose text ends the library's message; EIO when it is none."""
    numbers = (errno.ENOENT, errno.EEXIST, errno.EBUSY, errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL)
    return next((number for number in numbers if reason.endswith(os.strerror(number))), errno.EIO)
