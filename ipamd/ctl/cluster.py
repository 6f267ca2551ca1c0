"""The cluster whose EIPs are cleaned up or taken over: its claims and pools, and the switch of its releases.

Thread safety: any thread may ask.
"""

from collections.abc import Collection, Sequence
from typing import Any

from ipamd.core.claim import eipclaim
from ipamd.core.eip_pool import eippool
from ipamd.core.eip_pool.eippool import EipPool
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import cluster_settings
from ipamd.core.model import Eip
from ipamd.kube import config
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import ForbiddenError, NotFoundError
from ipamd.kube.resources import CONFIGMAPS, EIPCLAIMS, EIPPOOLS

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

    def holders(self, eips: Collection[Eip]) -> dict[str, str]:
        """Return which EIPClaim or EIPPool has which of the EIPs, by its id. Raises: as `claims`.

        A claim that was made to take an EIP over has it, though its Pod may be still to come.
        """
        claims = self.claims()
        kept = {
            eip_id: f"EIPClaim {c}"
            for c in claims
            if c.adopts and c.address is None and c.request
            for eip_id in c.request.address_ids
        }
        claimed = {c.address.eip_id: f"EIPClaim {c}" for c in claims if c.address}
        return self.pooled(eips) | kept | claimed

    def has_claim(self, namespace: str, name: str) -> bool:
        """Whether there is an EIPClaim of the name. Raises: KubeError."""
        try:
            self._client.get(EIPCLAIMS, name, namespace)
        except NotFoundError:
            return False
        return True

    def pooled(self, eips: Collection[Eip]) -> dict[str, str]:
        """Return which EIPPool has which of the EIPs. Raises: KubeError."""
        return {eip.eip_id: f"EIPPool {pool}" for pool in self._pools() for eip in eips if pool.has(eip)}

    def add_to_pool(self, name: str, eip_ids: Sequence[str], *, most: int) -> None:
        """Add EIPs to the list of an EIPPool, made if there is none.

        Raises: KubeError; InvalidInputError for a pool that has no list, or would have more than `most`.
        """
        pool = next((pool for pool in self._pools() if pool.name == name), None)
        if pool is None:
            body = {"metadata": {"name": name}, "spec": {"addressIDs": list(eip_ids)}}
            self._client.create(EIPPOOLS, {"apiVersion": eipclaim.API_VERSION, "kind": "EIPPool", **body})
            return
        if pool.spec is None or not pool.spec.address_ids:
            raise InvalidInputError(
                f"--pool is {name}: that EIPPool has no spec.addressIDs to add to", advice="name another pool"
            )
        ids = [*pool.spec.address_ids, *eip_ids]
        if len(ids) > most:
            raise InvalidInputError(
                f"--pool is {name}: it would have {len(ids)} EIPs; allowed are {most}",
                advice="take fewer by --eip, and the others into another pool",
            )
        patch = {"metadata": {"resourceVersion": pool.resource_version}, "spec": {"addressIDs": ids}}
        self._client.patch(EIPPOOLS, name, patch)

    def create_claim(self, namespace: str, name: str, eip_id: str) -> None:
        """Create the EIPClaim with which the Pod of the name has the EIP. Raises: KubeError."""
        self._client.create(
            EIPCLAIMS,
            {
                "apiVersion": eipclaim.API_VERSION,
                "kind": eipclaim.KIND,
                "metadata": {
                    "namespace": namespace,
                    "name": name,
                    "annotations": {eipclaim.ADOPT: "true"},
                },
                "spec": {"addressIDs": [eip_id], "deletePolicy": "Never"},
            },
        )

    def _pools(self) -> list[EipPool]:
        try:
            return [eippool.read(obj) for obj in self._client.list(EIPPOOLS).items]
        except NotFoundError:
            return []  # a release from before EIPPools

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
