"""What `ipamctl preflight` asks the API server: its version, and who has the names of ours."""

from collections.abc import Iterator, Mapping
from typing import Final

from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import cluster_settings
from ipamd.core.preflight import cluster
from ipamd.core.preflight.result import FitnessCheck, Judgement
from ipamd.kube import config
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import ForbiddenError, KubeError, NotFoundError
from ipamd.kube.resources import DAEMONSETS, DEPLOYMENTS

_OURS: Final = ((DAEMONSETS, "tke-eni-agent"), (DEPLOYMENTS, "tke-eni-ipamd"))


def look(kubeconfig: str, environment: Mapping[str, str]) -> Iterator[Judgement]:
    """Yield what is found; nothing further of a server that does not answer."""
    try:
        client = KubeClient(config.load(kubeconfig, environment), component="ipamctl")
    except InvalidInputError as e:
        yield cluster.unseen(FitnessCheck.API_SERVER, "cluster/api-server", e.message)
        return
    try:
        yield from _asked(client)
    finally:
        client.close()


def _asked(client: KubeClient) -> Iterator[Judgement]:
    try:
        said = client.version()
    except KubeError as e:
        yield cluster.away(e.message)
        return
    yield cluster.answers()
    yield cluster.version(str(said.get("major")), str(said.get("minor")))
    for resource, name in _OURS:
        try:
            found = client.get(resource, name, cluster_settings.NAMESPACE)
        except NotFoundError:
            found = None
        except ForbiddenError as e:
            subject = f"{resource.kind.lower()}/{cluster_settings.NAMESPACE}/{name}"
            yield cluster.unseen(FitnessCheck.OTHER_INSTALLATION, subject, e.message)
            continue
        except KubeError as e:
            yield cluster.away(e.message)
            return
        yield cluster.installation(resource.kind, name, found)
