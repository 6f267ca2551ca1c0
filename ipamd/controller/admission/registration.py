"""Keeps the webhook trusted: the Secret with its certificate, and the CA bundle that the API server uses.

Every replica looks at both once a minute. Whoever finds the Secret empty or old renews it, with the Secret's
resourceVersion, so that of two replicas one wins and the other reads what the first has written. The bundle
is written before a new certificate is served, so a certificate that is served is always trusted.
Thread safety: `start` and `stop` are for one thread; the work is done on a thread of its own.
"""

import base64
import binascii
import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ipamd.controller.admission import certificates
from ipamd.controller.admission.certificates import Keyring
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import ConflictError, ForbiddenError, NotFoundError
from ipamd.kube.resources import MUTATING_WEBHOOKS, SECRETS
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.metric import Metric, gauge

log = logging.getLogger(__name__)

NAME = "tke-eni-admission"
"""Of Secret, Service and MutatingWebhookConfiguration; deploy/components/admission has all three."""
LOOK_AGAIN = 60.0
_BACKOFF = Backoff(first=0.5, longest=30.0)
_END_SECONDS = 5.0
"""A request that is under way then is given up with the process."""
_APPLY = "apply deploy/components/admission, or leave --admission-webhook out"


class WebhookRegistration:
    """Invariant: `use` is called only with a certificate that the webhook's CA bundle covers."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        *,
        use: Callable[[bytes, bytes], None],
        clock: Callable[[], float],
        look_again: float = LOOK_AGAIN,
    ) -> None:
        """Take the controller's namespace, who serves with certificate and key, and a clock of Unix time."""
        self._client = client
        self._namespace = namespace
        self._use = use
        self._clock = clock
        self._served = b""
        self._expires: float | None = None
        self._loop = Loop(
            "admission-certificate",
            self._keep,
            policy=Survive(),
            pace=LoopPace(period=look_again, backoff=_BACKOFF),
            no_news=(ConflictError,),  # another replica was faster: read what it wrote
        )

    def start(self) -> None:
        """Begin to look."""
        self._loop.start()

    def stop(self) -> None:
        """End; what was written stays."""
        self._loop.stop(_END_SECONDS)

    def metrics(self) -> Iterator[Metric]:
        """Yield for how long the certificate that is served is good; nothing before there is one."""
        if self._expires is not None:
            yield gauge(
                "tke_eni_admission_certificate_seconds_left",
                "Seconds until the certificate ends with which this replica serves the admission webhook.",
                self._expires - self._clock(),
            )

    def look(self) -> None:
        """Put Secret, CA bundle and served certificate right, in this order. Raises: KubeError."""
        secret = self._client.get(SECRETS, NAME, self._namespace)
        stored = certificates.read(decoded(secret.get("data")))
        now = dt.datetime.fromtimestamp(self._clock(), dt.UTC)
        keyring = certificates.renewed(stored, _names(self._namespace), now)
        if keyring is not stored:
            self._store(secret, keyring)
        self._trust(keyring)
        data = keyring.data()
        if data[certificates.CERTIFICATE] != self._served:
            self._use(data[certificates.CERTIFICATE], data[certificates.KEY])
            self._served = data[certificates.CERTIFICATE]
            self._expires = keyring.expires.timestamp()
            log.info("the admission webhook serves with a certificate until %s", keyring.expires)

    def _store(self, secret: Mapping[str, Any], keyring: Keyring) -> None:
        """Write the keyring if the Secret has not changed since; ConflictError if it has."""
        data = {name: base64.b64encode(value).decode() for name, value in keyring.data().items()}
        version = secret["metadata"]["resourceVersion"]
        self._client.patch(
            SECRETS, NAME, {"metadata": {"resourceVersion": version}, "data": data}, self._namespace
        )
        log.info("Secret %s/%s: the admission webhook has a new certificate", self._namespace, NAME)

    def _trust(self, keyring: Keyring) -> None:
        """Let the API server trust the keyring's authorities, in every webhook of the configuration."""
        configuration = self._client.get(MUTATING_WEBHOOKS, NAME)
        bundle = base64.b64encode(keyring.ca_bundle).decode()
        webhooks = configuration.get("webhooks") or []
        stale = [
            index
            for index, webhook in enumerate(webhooks)
            if (webhook.get("clientConfig") or {}).get("caBundle") != bundle
        ]
        if not stale:
            return
        version = configuration["metadata"]["resourceVersion"]
        operations: list[dict[str, Any]] = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
        ]
        operations += [
            {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": bundle}
            for index in stale
        ]
        self._client.patch(MUTATING_WEBHOOKS, NAME, operations, content="json")
        log.info("MutatingWebhookConfiguration %s trusts the webhook's authority", NAME)

    def _keep(self) -> None:
        try:
            self.look()
        except (NotFoundError, ForbiddenError) as e:
            raise type(e)(e.message, advice=_APPLY) from e


def _names(namespace: str) -> Sequence[str]:
    """Return the names by which the API server calls the Service; it asks for the one that ends in .svc."""
    return [f"{NAME}.{namespace}.svc", f"{NAME}.{namespace}.svc.cluster.local"]


def decoded(data: object) -> dict[str, bytes]:
    """Return the Secret's data; what is no base64 is left out."""
    decoded = {}
    for name, value in data.items() if isinstance(data, Mapping) else ():
        try:
            decoded[str(name)] = base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            continue
    return decoded
