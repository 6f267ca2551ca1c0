"""DELs that the agent cannot take are queued on disk, as the agent will find them."""

import concurrent.futures
import fcntl
import os
import posix
import random
import signal
import time
from pathlib import Path

import grpc
import pytest

from cni_plugin import pending
from ipamd.rpc import cni_pb2


def queued(plugin):
    """Read the queue as the agent does."""
    return [cni_pb2.CniRequest.FromString(file.read_bytes()) for file in sorted(plugin.queue.glob("*.del"))]


def succeeded(outcome):
    return (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, b"", b"")


def wait_until_open(process, path):
    """Wait until the process has `path` open."""
    deadline = time.monotonic() + 20
    directory = Path(f"/proc/{process.pid}/fd")
    while time.monotonic() < deadline:
        try:
            if str(path) in [str(link.readlink()) for link in directory.iterdir()]:
                return
        except OSError:
            pass  # a descriptor or the process was gone between listing and reading
        time.sleep(0.002)
    pytest.fail(f"{path} was never opened")


@pytest.fixture
def lock(plugin):
    """The lock of the queue, held as by an agent that drains."""
    plugin.queue.mkdir()
    fd = os.open(plugin.queue / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield fd
    os.close(fd)


def test_a_del_without_agent_succeeds_and_is_kept_as_the_agent_would_have_got_it(plugin, agent):
    plugin.run("DEL", b'{"cniVersion": "1.0.0"}')
    agent.stop().wait()

    assert succeeded(plugin.run("DEL", b'{"cniVersion": "1.0.0"}'))

    assert queued(plugin) == [cni_pb2.CniRequest.FromString(agent.calls[0].request)]


def test_a_del_is_on_disk_before_it_is_reported_as_done(tmp_path, monkeypatch):
    steps = []
    fsync, rename = posix.fsync, posix.rename

    def recorded_fsync(fd):
        steps.append(("fsync", Path(f"/proc/self/fd/{fd}").readlink().name))
        fsync(fd)

    def recorded_rename(source, target):
        steps.append(("rename", Path(os.fsdecode(target)).name))
        rename(source, target)

    monkeypatch.setattr(posix, "fsync", recorded_fsync)
    monkeypatch.setattr(posix, "rename", recorded_rename)
    with pending.Queue(bytes(tmp_path / "new" / "queue"), time.monotonic()) as queue:
        queue.add(b"c0ffee", b"eth0", b"request")

    name = next((tmp_path / "new" / "queue").glob("*.del")).name
    assert steps == [
        ("fsync", tmp_path.name),
        ("fsync", "new"),
        ("fsync", f"{name}.tmp"),
        ("rename", name),
        ("fsync", "queue"),
    ]


def test_the_directory_and_its_parents_are_made_for_root_only(plugin):
    plugin.queue = plugin.queue / "deeper" / "still"

    assert succeeded(plugin.run("DEL"))

    assert [plugin.queue.stat().st_mode & 0o777, plugin.queue.parent.stat().st_mode & 0o777] == [0o700, 0o700]
    assert {file.stat().st_mode & 0o777 for file in plugin.queue.iterdir()} == {0o600}
    assert len(queued(plugin)) == 1


def test_the_same_del_is_kept_once(plugin):
    for _ in range(3):
        assert succeeded(plugin.run("DEL"))

    assert len(queued(plugin)) == 1


def test_each_interface_of_each_container_has_its_own_file(plugin):
    for container_id, ifname in [("a", "eth0"), ("a", "eth1"), ("b", "eth0"), ("ae", "th0")]:
        assert succeeded(plugin.run("DEL", CNI_CONTAINERID=container_id, CNI_IFNAME=ifname))

    assert len(queued(plugin)) == 4


@pytest.mark.parametrize("name", ["CNI_CONTAINERID", "CNI_IFNAME"])
def test_a_del_that_nobody_could_attribute_is_refused(plugin, name):
    error = plugin.run("DEL", **{name: ""}).error

    assert (error["code"], error["msg"]) == (4, f"{name} is not set")
    assert queued(plugin) == []


def test_an_error_of_the_agent_is_the_answer_and_nothing_is_queued(plugin, agent):
    agent.reply_with(b'{"code": 7}', exit_code=1)

    outcome = plugin.run("DEL")

    assert (outcome.stdout, outcome.exit_code) == (b'{"code": 7}', 1)
    assert not plugin.queue.exists()


def test_a_call_that_fails_is_repeated_once_and_then_queued(plugin, agent):
    agent.abort_with(grpc.StatusCode.INTERNAL, "boom")

    assert succeeded(plugin.run("DEL"))

    assert len(agent.calls) == 2
    assert len(queued(plugin)) == 1


def test_a_silent_agent_does_not_keep_a_del_from_success(plugin, agent):
    _, released = agent.hold()

    outcome = plugin.run("DEL", TKE_ENI_TIMEOUT="0.3")
    released.set()

    assert succeeded(outcome)
    assert outcome.seconds < 5
    assert len(queued(plugin)) == 1


def test_a_del_that_waited_for_the_lock_goes_to_the_agent_that_came_meanwhile(plugin, lock, start_agent):
    execution = plugin.start("DEL")
    wait_until_open(execution.process, plugin.queue / "lock")

    agent = start_agent()
    agent.reply_with(b"answered")
    fcntl.flock(lock, fcntl.LOCK_UN)

    assert plugin.finish(execution).stdout == b"answered"
    assert queued(plugin) == []


def test_a_del_that_waited_for_the_lock_in_vain_for_an_agent_is_queued(plugin, lock):
    execution = plugin.start("DEL")
    wait_until_open(execution.process, plugin.queue / "lock")
    assert queued(plugin) == []

    fcntl.flock(lock, fcntl.LOCK_UN)

    assert succeeded(plugin.finish(execution))
    assert len(queued(plugin)) == 1


def test_a_lock_that_is_never_released_ends_in_an_error(plugin, lock):
    outcome = plugin.run("DEL", TKE_ENI_TIMEOUT="0.2")

    assert outcome.error["code"] == 11
    assert f"{plugin.queue} stayed locked" in outcome.error["msg"]
    assert outcome.seconds < 10


def test_the_queue_is_bounded_even_when_many_come_at_once(plugin):
    plugin.queue.mkdir()
    for number in range(pending.LARGEST_QUEUE - 3):
        (plugin.queue / f"{number}.del").touch()

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(lambda n: plugin.run("DEL", CNI_CONTAINERID=f"c{n}"), range(12)))

    refused = [outcome.error for outcome in outcomes if outcome.exit_code]
    assert len(list(plugin.queue.glob("*.del"))) == pending.LARGEST_QUEUE
    assert len(refused) == 9
    assert {error["code"] for error in refused} == {11}
    assert "is full: 512 DELs wait for the agent" in refused[0]["msg"]
    assert str(plugin.socket) in refused[0]["msg"]


def test_a_full_queue_still_takes_what_it_already_has(plugin):
    assert succeeded(plugin.run("DEL"))
    for number in range(pending.LARGEST_QUEUE - 1):
        (plugin.queue / f"{number}.del").touch()

    assert succeeded(plugin.run("DEL"))


def test_one_del_is_bounded_in_size(plugin):
    error = plugin.run("DEL", b" " * pending.LARGEST_REQUEST).error

    assert error["code"] == 11
    assert "too large for the queue, which takes 131072" in error["msg"]
    assert queued(plugin) == []


def test_many_dels_at_once_are_all_kept(plugin):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda n: plugin.run("DEL", CNI_CONTAINERID=f"c{n}"), range(100)))

    assert all(succeeded(outcome) for outcome in outcomes)
    assert len(queued(plugin)) == 100


def in_memory(plugin):
    """The queue beside the socket."""
    return plugin.socket.with_name("pending-deletes")


def test_what_the_disk_does_not_take_is_queued_in_memory(plugin):
    plugin.queue.write_text("not a directory")

    assert succeeded(plugin.run("DEL", b'{"cniVersion": "1.0.0"}'))

    [file] = in_memory(plugin).glob("*.del")
    assert cni_pb2.CniRequest.FromString(file.read_bytes()).stdin == b'{"cniVersion": "1.0.0"}'
    assert in_memory(plugin).stat().st_mode & 0o777 == 0o700


def test_a_queue_that_somebody_works_on_is_not_passed_by(plugin, lock):
    assert plugin.run("DEL", TKE_ENI_TIMEOUT="0.2").error["code"] == 11
    assert not in_memory(plugin).exists()


def test_queues_that_cannot_be_written_are_named(plugin):
    for queue in (plugin.queue, in_memory(plugin)):
        queue.write_text("not a directory")

    error = plugin.run("DEL").error

    assert error["code"] == 11
    assert f"{plugin.queue} cannot be written: Not a directory" in error["msg"]
    assert f"{in_memory(plugin)} cannot be written: Not a directory" in error["msg"]
    assert str(plugin.socket) in error["msg"]


def test_a_disk_that_is_full_leaves_nothing_half_written(plugin):
    outcome = plugin.finish(plugin.start("DEL", b" " * 2000, shell='ulimit -f 1; exec "$0"'))

    assert "File too large" in outcome.error["msg"]
    for queue in (plugin.queue, in_memory(plugin)):
        assert [file.name for file in queue.iterdir()] == ["lock"]


def test_what_a_killed_del_left_behind_is_cleared_away(plugin):
    plugin.queue.mkdir()
    (plugin.queue / "0.del.tmp").write_bytes(b"\x0a\xff")

    assert succeeded(plugin.run("DEL"))

    assert not list(plugin.queue.glob("*.tmp"))
    assert len(queued(plugin)) == 1


def test_a_lock_file_that_is_a_link_is_not_followed(plugin, tmp_path):
    plugin.queue.mkdir()
    (plugin.queue / "lock").symlink_to(tmp_path / "elsewhere")

    assert succeeded(plugin.run("DEL"))
    assert not (tmp_path / "elsewhere").exists()
    assert len(list(in_memory(plugin).glob("*.del"))) == 1


def test_a_del_killed_at_any_moment_leaves_only_whole_files(plugin):
    moments = random.Random(7)
    for number in range(60):
        execution = plugin.start("DEL", CNI_CONTAINERID=f"c{number}")
        time.sleep(moments.uniform(0.003, 0.012))
        execution.process.send_signal(signal.SIGKILL)
        plugin.finish(execution)

    assert succeeded(plugin.run("DEL"))
    assert not list(plugin.queue.glob("*.tmp"))
    for request in queued(plugin):
        assert b"CNI_COMMAND=DEL" in request.environment
        assert request.stdin
