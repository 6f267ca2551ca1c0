"""libnftables by ctypes: nft scripts run in this process, each as one kernel transaction.

A call costs about 0.15 ms where starting the nft program costs 4 ms. The netlink socket is opened once, in
the namespace of the thread that constructs `Nft`, and stays bound to it. Not thread-safe: one thread uses one
`Nft`. Invariant: after a failed script the kernel holds what it held before.
"""

import ctypes
import json
import threading
from typing import Any

from simulator.fabric.api import FabricError

_OUTPUT_JSON = 1 << 4
"""NFT_CTX_OUTPUT_JSON of nftables/libnftables.h."""

# The library keeps some process-wide tables (its own documentation promises thread safety for nothing).
_library_lock = threading.Lock()


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as e:
        raise FabricError(f"{e}; install the Debian package libnftables1") from e
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
        getattr(library, name).restype = ctypes.c_char_p
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


class Nft:
    """A session with the nftables of one namespace."""

    def __init__(self) -> None:
        self._library = _load()
        with _library_lock:
            self._context = self._library.nft_ctx_new(0)
            self._library.nft_ctx_buffer_output(self._context)
            self._library.nft_ctx_buffer_error(self._context)
            self._library.nft_ctx_output_set_flags(self._context, _OUTPUT_JSON)

    def run(self, script: str) -> str:
        """Carry out a script, all of it or nothing, and give what it prints (JSON)."""
        with _library_lock:
            status = self._library.nft_run_cmd_from_buffer(self._context, script.encode("ascii"))
            output: bytes = self._library.nft_ctx_get_output_buffer(self._context)
            error: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        if status != 0:
            raise FabricError(
                f"nft refused a change of the router's rules: {error.decode().strip()}\n{script}"
            )
        return output.decode()

    def list_elements(self, table: str, name: str) -> list[dict[str, Any]]:
        """Give the elements of a set that has a counter: [{"val": ..., "counter": {"packets": ...}}]."""
        for item in json.loads(self.run(f"list set ip {table} {name}"))["nftables"]:
            if "set" in item:
                return [element["elem"] for element in item["set"].get("elem", [])]
        return []

    def close(self) -> None:
        """Close the netlink socket."""
        with _library_lock:
            self._library.nft_ctx_free(self._context)
