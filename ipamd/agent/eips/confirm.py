"""Waits until an accepted EIP write shows its effect, and notices when it never will.

The effect is seen by the shared watch (`EipWatch`), which asks for all EIPs at once. Only a write that takes
unusually long is asked after by its task: an accepted task may fail, and its EIP then stays as it was.
Thread safety: any number of threads may wait.
"""

from collections.abc import Callable

from ipamd.cloud.polling import EipWatch
from ipamd.cloud.tasks import TaskState
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.cloud_errors import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.deadline import Deadline

_PATIENCE = 5.0
"""Seconds after which a write is asked after; an association takes one to three in the real cloud."""


class EipConfirmation:
    """Waits for effects of EIP writes."""

    def __init__(self, cloud: TencentCloud, watch: EipWatch) -> None:
        """Take whom to ask about tasks, and the watch of EIPs."""
        self._cloud = cloud
        self._watch = watch

    def wait(
        self,
        eip_id: str,
        done: Callable[[model.Eip | None], bool],
        deadline: Deadline,
        *,
        action: str,
        task_id: str,
        certain: bool = False,
    ) -> model.Eip | None:
        """Return the EIP once `done` holds for it.

        `action` and `task_id` name the write; its task is not known if the id is empty. A list may be older
        than the write: with `certain` its task has to be over as well, if it is known. Raises: CloudError
        (TASK_FAILED, and those of the watch); TryAgainError when the time is over or when the write was not
        the one that has to be waited for.
        """
        while True:
            patience = deadline.within(_PATIENCE)
            shown = False
            try:
                eip = self._watch.wait_until(eip_id, done, patience)
                shown = True
            except TryAgainError:
                if deadline.expired or not patience.expired:
                    raise
            if shown and not certain:
                return eip
            state = self._cloud.describe_eip_task(task_id, deadline)
            if shown and state in (TaskState.SUCCESS, TaskState.UNKNOWN):
                return eip
            if state is TaskState.FAILED:
                detail = f"it was accepted for {eip_id}, and its task {task_id} failed"
                raise cloud_error(action, "ClientTaskFailed", detail)
            if state is TaskState.UNKNOWN:
                raise TryAgainError(f"{action} of {eip_id} shows no effect; it is asked for again")
