"""How a failure is put to the kubelet: which Pod, which step, what happened, what to do.

    ADD of Pod default/web-0: waiting for an address: AssignPrivateIpAddresses failed with ... (RequestId ...)

The text ends up in `kubectl describe pod`, so it has to be enough on its own.
"""

import contextlib
from collections.abc import Iterator

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cni import errors
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.errors import IpamError
from ipamd.kube.errors import KubeError
from ipamd.store.database import StoreError

_TEMPORARY = (CloudError, KubeError, StoreError)


@contextlib.contextmanager
def step(doing: str) -> Iterator[None]:
    """Put what was being done in front of an error that leaves the block."""
    try:
        yield
    except IpamError as e:
        error = as_cni_error(e)
        raise CniError(error.code, f"{doing}: {error.message}", advice=error.advice) from e


def of_verb(verb: str, subject: model.PodRef | str, error: IpamError, version: str) -> CniError:
    """Return the error as the runtime gets it."""
    found = as_cni_error(error)
    return CniError(
        found.code, f"{verb} of {_named(subject)}: {found.message}", advice=found.advice, version=version
    )


def as_cni_error(error: IpamError) -> CniError:
    """Return the error with its CNI code; refusals of cloud, cluster and disk may be tried again."""
    if isinstance(error, _TEMPORARY):
        return CniError(Code.TRY_AGAIN, error.message, advice=error.advice)
    return errors.from_error(error)


def _named(subject: model.PodRef | str) -> str:
    return f"Pod {subject}" if isinstance(subject, model.PodRef) else subject
