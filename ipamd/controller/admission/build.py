"""The admission webhook, where it is wanted: it needs `cryptography`, so nothing of it is imported before."""

from collections.abc import Mapping

from ipamd.controller.admission.webhook import Admission
from ipamd.controller.events import COMPONENT
from ipamd.controller.options import Settings
from ipamd.kube import config
from ipamd.kube.client import KubeClient


def build(settings: Settings, address: tuple[str, int], environment: Mapping[str, str]) -> Admission:
    """Return the webhook of this replica, with a client of its own; InvalidInputError."""
    connection = config.load(settings.kubeconfig, environment, master=settings.master)
    return Admission(KubeClient(connection, component=COMPONENT), settings.namespace, *address)
