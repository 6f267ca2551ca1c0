"""The switch with which an operator stops every release of an EIP at once.

    kubectl -n kube-system patch configmap tke-eni-settings --type merge -p '{"data":{"RELEASES":"stopped"}}'

It is read live before each release, so it takes effect with the next one and needs no restart; and an error
is no permission: while the API server does not say that releases are allowed, there are none. What is held
back is kept: claims wait with their finalizer, orphans are reported, and all go on when the switch is turned
back.
It is looked for where the controller itself runs, wherever its Lease is: there deploy/ has put the ConfigMap.
Thread safety: any thread may ask.
"""

from ipamd.core.kubernetes import cluster_settings
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import CONFIGMAPS


class ReleaseGate:
    """Invariant: says that a release may be made only if flag and ConfigMap say so now."""

    def __init__(self, client: KubeClient, namespace: str, *, stopped: bool = False) -> None:
        """Take where the ConfigMap is, and whether the flag --stop-releases was given."""
        self._client = client
        self._namespace = namespace
        self._stopped = stopped

    def closed(self) -> str:
        """Return by what releases are stopped, empty when they are not.

        Raises: KubeError: it is not known, so nothing may be released.
        """
        if self._stopped:
            return "the controller runs with --stop-releases"
        try:
            config_map = self._client.get(CONFIGMAPS, cluster_settings.CONFIG_MAP, self._namespace)
        except errors.NotFoundError:
            return ""
        return cluster_settings.releases_stopped(config_map, self._namespace)
