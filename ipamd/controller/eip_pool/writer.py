"""EIPPool objects on the API: our finalizer and their status, never over a newer one.

Thread safety: any thread may call any method.
"""

from collections.abc import Callable
from typing import Any

from ipamd.core.eip_pool import eippool
from ipamd.core.eip_pool.eippool import FINALIZER, EipPool
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import EIPPOOLS


class PoolWriter:
    """The only writer of pools. All methods raise KubeError: ConflictError if the pool has changed."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    def write_status(self, pool: EipPool, patch: dict[str, Any]) -> EipPool:
        """Apply a patch of `core.eip_pool.status` and return the pool as stored."""
        return eippool.read(self._client.patch(EIPPOOLS, pool.name, patch, subresource="status"))

    def hold(self, pool: EipPool) -> EipPool:
        """Put our finalizer on the pool."""
        return self._write_finalizers(pool, lambda names: [*names, FINALIZER])

    def let_go(self, pool: EipPool) -> None:
        """Take our finalizer off the pool; with the last one it is gone."""
        self._write_finalizers(pool, lambda names: [name for name in names if name != FINALIZER])

    def _write_finalizers(self, pool: EipPool, change: Callable[[list[str]], list[str]]) -> EipPool:
        metadata = self._client.get(EIPPOOLS, pool.name)["metadata"]
        if metadata["resourceVersion"] != pool.resource_version:
            raise errors.ConflictError(f"EIPPool {pool} has changed since it was read")
        finalizers = change(list(metadata.get("finalizers") or ()))
        body = {"metadata": {"resourceVersion": pool.resource_version, "finalizers": finalizers}}
        return eippool.read(self._client.patch(EIPPOOLS, pool.name, body))
