"""Keeps NonMasqueradeSrcCIDRs of ip-masq-agent in step with the Pods that have an EIP; off by default.

The agents exempt those Pods themselves; this is for clusters whose owners want ip-masq-agent alone to decide
(agent flag --no-eip-source-nat-exemption). A configuration that cannot be read, or that is not there, is told
and left alone; so is one that somebody makes immutable.
Thread safety: `trigger` may be called from any thread; `start_watching` and `stop` are for one.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ipamd.controller.events import ClaimEvents
from ipamd.controller.fence import Fence
from ipamd.controller.masquerade.text import ConfigText
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.eip import masquerade
from ipamd.core.eip.masquerade import MasqueradeMode
from ipamd.core.errors import InvalidInputError
from ipamd.core.timing.backoff import Backoff
from ipamd.kube import errors
from ipamd.kube.client import KubeClient, Selection
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.resources import CONFIGMAPS
from ipamd.kube.watch import ObjectCache, WatchPace
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace

log = logging.getLogger(__name__)

_PAUSE = 5.0
"""Seconds between two writes at least; what changes meanwhile is one write."""
_NEXT_LOOK = 300.0
"""Seconds until the configuration is compared again without a cause."""
_BACKOFF = Backoff(first=2.0, longest=300.0)


class MasqueradeConfig:
    """Invariant: only that field and our annotation are ever written, over the version they were read in."""

    def __init__(
        self,
        client: KubeClient,
        upkeep: MasqueradeMode,
        *,
        claims: Callable[[], list[Claim]],
        fence: Fence,
        teller: ClaimEvents,
        pace: WatchPace | None = None,
    ) -> None:
        """Take what gives all claims; nothing is asked before `start_watching`."""
        self._client = client
        self._upkeep = upkeep
        self._claims = claims
        self._fence = fence
        self._teller = teller
        self._told = ""
        self._loop = Loop(
            "ip-masq-agent",
            self.keep,
            policy=Survive(),
            pace=LoopPace(period=_NEXT_LOOK, pause=_PAUSE, backoff=_BACKOFF),
            no_news=(NotLeaderError,),
        )
        self._cache = ObjectCache(
            client,
            CONFIGMAPS,
            selection=Selection(
                namespace=masquerade.NAMESPACE, field_selector=f"metadata.name={masquerade.NAME}"
            ),
            on_change=lambda _kind, _obj: self.trigger(),
            pace=pace,
        )

    def start_watching(self) -> None:
        """Follow the ConfigMap; every replica does."""
        if self._upkeep is not MasqueradeMode.OFF:
            self._cache.start()

    def start(self) -> None:
        """Begin to write; only the leader does."""
        if self._upkeep is not MasqueradeMode.OFF:
            self._loop.start()

    def stop(self, timeout: float) -> bool:
        """End; return whether nothing is written any more."""
        ended = self._loop.stop(timeout)
        self._cache.stop()
        return ended

    def trigger(self) -> None:
        """Have claims and configuration compared soon."""
        self._loop.trigger()

    def keep(self) -> float:
        """Compare and write once; return the seconds until the next time.

        Raises: KubeError, NotLeaderError.
        """
        if not self._cache.has_synced:
            return 0.0  # the first list triggers it, unless it is empty
        obj = self._cache.get(masquerade.NAMESPACE, masquerade.NAME)
        keeping = self._upkeep is MasqueradeMode.KEEP
        wanted = masquerade.exempt(self._claims()) if keeping else frozenset()
        try:
            patch = _patch(obj, wanted)
            if patch is None:
                self._told = ""
                return _NEXT_LOOK
            self._fence.deadline()
            self._client.patch(CONFIGMAPS, masquerade.NAME, patch, masquerade.NAMESPACE)
        except InvalidInputError as e:
            self._tell(obj, str(e))
        except errors.InvalidObjectError as e:
            self._tell(obj, f"{e}: is it immutable? {masquerade.ADVICE}")
        except (errors.ConflictError, errors.NotFoundError) as e:
            log.debug("%s changed meanwhile: %s", masquerade.TITLE, e)
            return 0.0
        else:
            log.info("%s names %d Pods with EIP", masquerade.TITLE, len(wanted))
        return _NEXT_LOOK

    def _tell(self, obj: Mapping[str, Any] | None, message: str) -> None:
        if message == self._told:
            return
        self._told = message
        log.warning("%s", message)
        self._teller.config_map(
            masquerade.NAMESPACE,
            masquerade.NAME,
            uid=obj["metadata"].get("uid", "") if obj else "",
            reason="InvalidIPMasqAgentConfig",
            message=message,
        )


def _patch(obj: Mapping[str, Any] | None, wanted: frozenset[str]) -> dict[str, Any] | None:
    """Return the merge patch of the ConfigMap, None if it is as it has to be.

    Raises: InvalidInputError for a configuration that must be mended by people first.
    """
    if obj is None:
        if wanted:
            raise InvalidInputError(
                f"{masquerade.TITLE} does not exist, so ip-masq-agent goes by its defaults",
                advice="create it, or run the controller with --ip-masq-agent-config=off and the agents "
                "without --no-eip-source-nat-exemption",
            )
        return None
    text = (obj.get("data") or {}).get(masquerade.KEY)
    annotations = obj["metadata"].get("annotations") or {}
    ours = masquerade.read_ours(annotations)
    if text is None:
        if wanted or ours:
            raise InvalidInputError(
                f"{masquerade.TITLE} has no key {masquerade.KEY}", advice=masquerade.ADVICE
            )
        return None
    config = ConfigText(text)
    field = masquerade.field_of(config.fields)
    present = masquerade.entries_of(config.fields, field)
    revision = masquerade.revise(present, ours, wanted)
    changes: dict[str, Any] = {}
    if list(revision.entries) != present:
        changes["data"] = {masquerade.KEY: config.with_entries(field, revision.entries)}
    if not changes and revision.ours == ours:
        return None
    return {
        "metadata": {
            "resourceVersion": obj["metadata"]["resourceVersion"],
            "annotations": {masquerade.OURS: masquerade.write_ours(revision.ours)},
        },
        **changes,
    }
