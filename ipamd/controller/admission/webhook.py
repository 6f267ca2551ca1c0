"""The admission webhook of one replica: its server, what it knows of addresses, its certificate."""

import time

from ipamd.controller.admission.kept_addresses import KeptAddresses
from ipamd.controller.admission.registration import WebhookRegistration
from ipamd.controller.admission.server import AdmissionServer
from ipamd.core.errors import InvalidInputError
from ipamd.kube.client import KubeClient
from ipamd.runtime.metric import Source


class AdmissionWebhook:
    """Serves from `start` to `stop`, whether or not the replica leads. For one thread; `ready` is for all."""

    def __init__(self, client: KubeClient, namespace: str, host: str, port: int) -> None:
        """Take a client of its own, and bind the address; InvalidInputError when that cannot be."""
        self._client = client
        self._addresses = KeptAddresses(client)
        try:
            self._server = AdmissionServer(host, port, self._addresses.subnet_of)
        except OSError as e:
            raise InvalidInputError(
                f"--admission-webhook: {host}:{port} cannot be listened on: {e.strerror}",
                advice="give another address or port, and the same port in the Service's targetPort",
            ) from e
        self._registration = WebhookRegistration(client, namespace, use=self._server.use, clock=time.time)

    @property
    def metrics(self) -> Source:
        """What it shows in numbers."""
        return self._registration.metrics

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    def ready(self) -> str:
        """Return why Pods sent here would be admitted unchanged; empty when they are answered."""
        return (
            ""
            if self._server.has_certificate
            else "the admission webhook has no certificate yet; see the log"
        )

    def start(self) -> None:
        """Begin to serve, to watch and to keep the certificate."""
        self._addresses.start()
        self._server.start()
        self._registration.start()

    def stop(self) -> None:
        """End; a request that is complete is still answered."""
        self._registration.stop()
        self._server.close()
        self._addresses.stop()
        self._client.close()
