"""The cluster whose EIPs are cleaned up, where it still answers: its claims, and the switch of its releases.

Thread safety: any thread may ask.
"""

from typing import Any

from ipamd.core.claim import eipclaim
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import cluster_settings
from ipamd.kube import config
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import ForbiddenError, NotFoundError
from ipamd.kube.resources import CONFIGMAPS, EIPCLAIMS

_CONFIG_MAP = f"ConfigMap {cluster_settings.NAMESPACE}/{cluster_settings.CONFIG_MAP}"


class ClusterAccess:
    """What `--kubeconfig` leads to."""

    def __init__(self, kubeconfig: str, cluster_id: str) -> None:
        """Take the file, and which cluster it has to be of. Raises: InvalidInputError."""
        self._kubeconfig = kubeconfig
        self._cluster_id = cluster_id
        self._client = KubeClient(config.load(kubeconfig, {}), component="ipamctl")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def claims(self) -> list[eipclaim.Claim]:
        """Return all its EIPClaims.

        Raises: KubeError; InvalidInputError if it is another cluster, whose claims would protect nothing.
        """
        self._check_is_the_one()
        try:
            return [eipclaim.read(obj) for obj in self._client.list(EIPCLAIMS).items]
        except NotFoundError as e:
            raise InvalidInputError(
                f"--kubeconfig is {self._kubeconfig}: that cluster has no EIPClaims, so it cannot "
                f"say which EIPs of {self._cluster_id} are in use",
                advice="give the kubeconfig of that cluster, or none if it is deleted",
            ) from e

    def releases_stopped(self) -> str:
        """Return by what the releases of its EIPs are stopped, empty if they are not.

        Raises: KubeError: it is not known, so nothing may be released.
        """
        try:
            return cluster_settings.releases_stopped(self._settings(), cluster_settings.NAMESPACE)
        except NotFoundError:
            return ""

    def _settings(self) -> dict[str, Any]:
        return self._client.get(CONFIGMAPS, cluster_settings.CONFIG_MAP, cluster_settings.NAMESPACE)

    def _check_is_the_one(self) -> None:
        try:
            other = cluster_settings.cluster_id(self._settings())
        except (ForbiddenError, NotFoundError):
            return  # it does not say who it is
        if other not in ("", self._cluster_id):
            raise InvalidInputError(
                f"--kubeconfig is {self._kubeconfig}: that is cluster {other[:64]}, not "
                f"{self._cluster_id} ({_CONFIG_MAP})",
                advice=f"give the kubeconfig of {self._cluster_id}, or none if it is deleted",
            )
