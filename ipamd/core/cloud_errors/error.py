"""A cloud call that failed, as an exception."""

from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError


class CloudError(IpamError):
    """A cloud call that failed; `kind` decides what happens next, the rest is for people."""

    def __init__(
        self, kind: CloudErrorKind, message: str, *, action: str, code: str, request_id: str, advice: str = ""
    ) -> None:
        """Take the API action, its error code (or the client's) and the cloud's RequestId."""
        detail = f"{action} failed with {code}: {message}"
        super().__init__(f"{detail} (RequestId {request_id})" if request_id else detail, advice=advice)
        self.kind = kind
        self.detail = message
        self.action = action
        self.code = code
        self.request_id = request_id

    @property
    def is_silence(self) -> bool:
        """Whether the cloud has not answered, or as one does that does not work."""
        return self.kind in (CloudErrorKind.UNKNOWN_OUTCOME, CloudErrorKind.INTERNAL)

    def advised(self, advice: str) -> "CloudError":
        """Return this failure with what to do in the case at hand, as a new exception."""
        return CloudError(
            self.kind,
            self.detail,
            action=self.action,
            code=self.code,
            request_id=self.request_id,
            advice=advice,
        )

    def restated(self, detail: str, kind: CloudErrorKind | None = None) -> "CloudError":
        """Return this failure in other words, and of another kind if one is given, as a new exception."""
        return CloudError(
            kind or self.kind,
            detail,
            action=self.action,
            code=self.code,
            request_id=self.request_id,
            advice=self.advice,
        )
