"""The admission webhook, where it is wanted: it needs `cryptography`, so nothing of it is imported before."""

from collections.abc import Mapping

from ipamd.controller.admission.webhook import AdmissionWebhook
from ipamd.controller.events import COMPONENT
from ipamd.controller.options import ControllerSettings
from ipamd.kube import config
from ipamd.kube.client import KubeClient


def build(
    settings: ControllerSettings, address: tuple[str, int], environment: Mapping[str, str]
) -> AdmissionWebhook:
    """Return the webhook of this replica, with a client of its own; InvalidInputError."""
    connection = config.load(settings.kubeconfig, environment, master=settings.master)
    return AdmissionWebhook(KubeClient(connection, component=COMPONENT), settings.namespace, *address)
