"""The plugin's queue of DELs: worked off oldest first, whatever is in it, and never against a new sandbox."""

import fcntl
import hashlib
import os

import pytest

from ipamd.agent.cni.pending_deletes import PendingDeletes, in_memory
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.model import SandboxKey
from ipamd.rpc import cni_pb2


def key(container_id):
    return SandboxKey(container_id=container_id, ifname="eth0")


class Deleting:
    """Serves DELs in the place of the agent, and keeps whose they were."""

    def __init__(self):
        self.served = []
        self.refused = set()

    def delete(self, request, deadline):
        assert deadline.remaining() > 0
        if request.key.container_id in self.refused:
            raise IpamError("the kernel refuses")
        self.served.append(request.key.container_id)


@pytest.fixture
def deleting():
    return Deleting()


@pytest.fixture
def directories(tmp_path):
    return [tmp_path / "disk", tmp_path / "memory"]


@pytest.fixture
def pending(directories, deleting):
    for directory in directories:
        directory.mkdir()
    return PendingDeletes(directories, deleting)


def queue(directory, container_id, *, age=0.0, padding=0):
    """Queue a DEL as the plugin does."""
    environment = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": container_id, "CNI_IFNAME": "eth0"}
    environment |= {"CNI_ARGS": "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0", "CNI_PATH": "/opt/cni/bin"}
    conf = b'{"cniVersion": "1.0.0", "name": "tke-eni", "type": "tke-route-eni"}' + b" " * padding
    file = directory / name_of(container_id)
    octets = [f"{name}={value}".encode() for name, value in environment.items()]
    file.write_bytes(cni_pb2.CniRequest(environment=octets, stdin=conf).SerializeToString())
    os.utime(file, (1e9 - age, 1e9 - age))
    return file


def name_of(container_id):
    return hashlib.sha256(f"{container_id}/eth0".encode()).hexdigest() + ".del"


def test_dels_of_both_queues_are_served_oldest_first_and_are_gone(pending, directories, deleting):
    disk, memory = directories
    queue(disk, "young", age=1)
    queue(disk, "old", age=9)
    queue(memory, "other")

    assert pending.drain() == 0
    assert deleting.served == ["old", "young", "other"]
    assert not [*disk.glob("*.del"), *memory.glob("*.del")]
    assert pending.drain() == 0
    assert len(deleting.served) == 3


def test_one_that_fails_stays_for_the_next_time_and_stops_no_other(pending, directories, deleting):
    queue(directories[0], "stuck", age=9)
    queue(directories[0], "fine")
    deleting.refused.add("stuck")

    assert pending.drain() == 1
    assert deleting.served == ["fine"]

    deleting.refused.clear()
    assert pending.drain() == 0
    assert deleting.served == ["fine", "stuck"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 40, b"x" * 131073], ids=["empty", "no message", "too large"]
)
def test_what_is_no_del_is_dropped(pending, directories, deleting, content):
    file = directories[0] / "0.del"
    file.write_bytes(content)

    assert pending.drain() == 0
    assert deleting.served == []
    assert not file.exists()


def test_a_del_of_the_largest_size_is_served(pending, directories, deleting):
    file = queue(directories[0], "large")
    queue(directories[0], "large", padding=131072 - file.stat().st_size - 2)
    assert file.stat().st_size <= 131072

    pending.drain()

    assert deleting.served == ["large"]


def test_a_link_is_not_followed_and_stops_nothing_of_the_other_queue(
    pending, directories, deleting, tmp_path
):
    elsewhere = queue(tmp_path, "elsewhere")
    (directories[0] / "0.del").symlink_to(elsewhere)
    queue(directories[1], "other")

    pending.drain()

    assert deleting.served == ["other"]
    assert elsewhere.exists()


@pytest.mark.parametrize("place", [0, 1])
def test_a_new_sandbox_drops_its_own_old_del_wherever_it_is(pending, directories, deleting, place):
    queue(directories[place], "again")
    queue(directories[place], "gone")

    pending.supersede(key("again"))
    pending.drain()

    assert deleting.served == ["gone"]


def test_a_new_sandbox_without_an_old_del_needs_no_queue(pending, directories):
    for directory in directories:
        directory.rmdir()

    pending.supersede(key("new"))

    assert not any(directory.exists() for directory in directories)


def test_while_the_plugin_holds_the_queue_a_new_sandbox_is_told_to_come_again(pending, directories):
    queue(directories[0], "again")
    descriptor = os.open(directories[0] / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(TryAgainError, match="again"):
            pending.supersede(key("again"))
    finally:
        os.close(descriptor)


def test_a_directory_that_is_missing_is_made_for_root_alone(directories, deleting):
    assert PendingDeletes(directories, deleting).drain() == 0
    assert [directory.stat().st_mode & 0o777 for directory in directories] == [0o700, 0o700]


def test_one_directory_named_twice_is_one_queue(tmp_path, deleting):
    queue(tmp_path, "one")
    deleting.refused.add("one")

    assert PendingDeletes([tmp_path, tmp_path], deleting).drain() == 1


def test_what_the_disk_does_not_take_is_beside_the_socket(tmp_path):
    assert in_memory(tmp_path / "ipamd.sock") == tmp_path / "pending-deletes"
