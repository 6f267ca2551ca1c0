"""The annotations that tell a Pod, and external-dns when asked for, its public IP.

Thread safety: any thread may call any method.
"""

import logging

from ipamd.agent.pods.source import PodSource
from ipamd.core import model
from ipamd.core.claim.eipclaim import ClaimAddress
from ipamd.core.errors import TryAgainError
from ipamd.core.kubernetes.annotation_names import EIP_ID, EIP_PUBLIC_IP
from ipamd.core.kubernetes.external_dns import ExternalDns
from ipamd.kube import errors, resources
from ipamd.kube.client import KubeClient

log = logging.getLogger(__name__)


class PodAnnotations:
    """Writes onto Pods of the node."""

    def __init__(
        self, client: KubeClient, pods: PodSource, *, external_dns: ExternalDns = ExternalDns.OFF
    ) -> None:
        """Take where to write, the Pods as the watch shows them, and whether external-dns is told too."""
        self._client = client
        self._pods = pods
        self._target = external_dns.target

    def write(self, pod: model.PodRef, address: ClaimAddress) -> None:
        """Write which EIP the Pod has, unless the watch shows it. Raises: TryAgainError."""
        wanted = {EIP_ID: address.eip_id, EIP_PUBLIC_IP: address.public_ip}
        if self._target:
            wanted[self._target] = address.public_ip
        known = self._pods.known(pod)
        if known is not None and known.ref == pod and wanted.items() <= known.annotations.items():
            return
        # With the UID in it the patch is refused for another Pod of the name.
        body = {"metadata": {"uid": pod.uid, "annotations": wanted}}
        try:
            self._client.patch(resources.PODS, pod.name, body, pod.namespace)
        except (errors.NotFoundError, errors.InvalidObjectError):  # invalid: another UID
            log.debug("Pod %s was gone before it got its annotations", pod)
        except errors.ForbiddenError as e:
            log.warning("Pod %s has no annotations %s: %s", pod, ", ".join(wanted), e)
        except errors.KubeError as e:
            raise TryAgainError(f"Pod {pod} has no annotations yet: {e.message}", advice=e.advice) from e
