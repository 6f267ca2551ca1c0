"""The switch with which an operator stops every release of an EIP at once.

    kubectl -n kube-system patch configmap tke-eni-settings --type merge -p '{"data":{"RELEASES":"stopped"}}'

It is read live before each release, so it takes effect with the next one and needs no restart; and an error
is no permission: while the API server does not say that releases are allowed, there are none. What is held
back is kept: claims wait with their finalizer, orphans are reported, and all go on when the switch is turned
back.
`ipamctl eip cleanup` is a person's own hand and is not stopped by it.
Thread safety: any thread may ask.
"""

from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import CONFIGMAPS

CONFIG_MAP = "tke-eni-settings"
KEY = "RELEASES"
_ALLOWED = ("", "allowed")


class ReleaseGate:
    """Invariant: says that a release may be made only if flag and ConfigMap say so now."""

    def __init__(self, client: KubeClient, namespace: str, *, stopped: bool = False) -> None:
        """Take where the ConfigMap is, and whether the flag --stop-releases was given."""
        self._client = client
        self._namespace = namespace
        self._stopped = stopped

    def closed(self) -> str:
        """Return by what releases are stopped, empty when they are not.

        Errors: KubeError: it is not known, so nothing may be released.
        """
        if self._stopped:
            return "the controller runs with --stop-releases"
        try:
            data = self._client.get(CONFIGMAPS, CONFIG_MAP, self._namespace).get("data")
        except errors.NotFoundError:
            return ""
        said = data.get(KEY, "") if isinstance(data, dict) else ""
        if said in _ALLOWED:
            return ""
        # A value that is not understood was meant to change something: it stops, as far as can be told.
        return (
            f"{KEY} in ConfigMap {self._namespace}/{CONFIG_MAP} is {str(said)[:40]!r}; "
            "releases go on when it is removed or 'allowed'"
        )
