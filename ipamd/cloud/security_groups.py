"""Security groups of ENIs: given and taken away. What an ENI has, `describe_enis` tells.

The answers name no task: whether a change is there, a look at the ENI shows.
"""

from collections.abc import Sequence

from ipamd.cloud import paging
from ipamd.cloud.session import Calls
from ipamd.core.timing.deadline import Deadline


class SecurityGroupCalls(Calls):
    """Changes the security groups of secondary ENIs. Thread safety: as the session."""

    def associate_security_groups(
        self, eni_ids: Sequence[str], groups: Sequence[str], deadline: Deadline | None = None
    ) -> None:
        """Give the groups to the ENIs; what one has already stays. Raises: CloudError.

        AssociateNetworkInterfaceSecurityGroups (API document 215/43132).
        """
        for ids in paging.by_hundreds(eni_ids):
            self._session.call(
                "AssociateNetworkInterfaceSecurityGroups",
                {"NetworkInterfaceIds": ids, "SecurityGroupIds": list(groups)},
                deadline=deadline,
                scope=" ".join(groups),
            )

    def disassociate_security_groups(
        self, eni_ids: Sequence[str], groups: Sequence[str], deadline: Deadline | None = None
    ) -> None:
        """Take the groups off the ENIs. Raises: CloudError.

        DisassociateNetworkInterfaceSecurityGroups (API document 215/43131).
        """
        for ids in paging.by_hundreds(eni_ids):
            self._session.call(
                "DisassociateNetworkInterfaceSecurityGroups",
                {"NetworkInterfaceIds": ids, "SecurityGroupIds": list(groups)},
                deadline=deadline,
                scope=" ".join(groups),
            )
