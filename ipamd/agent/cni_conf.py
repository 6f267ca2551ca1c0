"""The runtime's network configuration, written as soon as the agent serves the plugin.

A node without one is not ready, so that a new node gets no Pods before they could start. Once written it
stays, also while the agent is away: the plugin then answers by itself, and a node whose agent restarts must
not become unready.
"""

import json
import logging
import os
from pathlib import Path
from typing import Final

from ipamd import steps
from ipamd.core.cni_errors import SUPPORTED_VERSIONS
from ipamd.core.errors import InvalidInputError

log = logging.getLogger(__name__)

NETWORK: Final = {
    # What runtimes know that do not choose from cniVersions (CNI 1.1, "Version considerations").
    "cniVersion": "1.0.0",
    "cniVersions": list(SUPPORTED_VERSIONS),
    "name": "tke-eni",
    "plugins": [{"type": "tke-route-eni"}],
}


def write(path: Path) -> None:
    """Make the file what it has to be, whole or not at all; InvalidInputError when it cannot be written."""
    content = (json.dumps(NETWORK, indent=2) + "\n").encode()
    # A runtime reads .conf, .conflist and .json only.
    aside = path.with_name(f".{path.name}.new")
    try:
        if path.is_file() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            with steps.step("file.cni_conf.write"):
                os.write(descriptor, content)
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with steps.step("file.cni_conf.rename"):
            aside.rename(path)
    except OSError as e:
        raise InvalidInputError(
            f"--cni-conf is {path}, which cannot be written: {e.strerror or e}",
            advice="the directory has to be the node's own, mounted into the agent's container",
        ) from e
    log.info("the network configuration %s is written", path)
