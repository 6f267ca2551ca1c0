"""The machine itself is not touched, and nothing of a region survives it, however it ended."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from simulator.fabric import netns, ownership
from simulator.fabric.api import FabricError
from simulator.fabric.vpc import VpcFabric

pytestmark = pytest.mark.netns

OWNER = """
import sys
from simulator.fabric.vpc import VpcFabric
fabric = VpcFabric(vpc_cidrs=["10.0.0.0/16"])
fabric.add_instance("ins-00000001")
print(fabric.netns_of("ins-00000001"), flush=True)
sys.stdin.readline()
"""


def _machine():
    commands = (
        "ip -json link",
        "ip -json address",
        "ip -json rule",
        "ip -json route show table all",
        "ip -json neigh",
        "nft -n list ruleset",
    )
    state = {
        command: subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout
        for command in commands
    }
    for path in (Path("/proc/sys/net/ipv4/ip_forward"), *Path("/proc/sys/net").glob("ipv[46]/conf/*/*")):
        if os.access(path, os.R_OK):
            state[str(path)] = _text(path)
    return state


def _text(path):
    try:
        return path.read_text()
    except OSError:
        return "cannot be read"


def _own_process():
    return subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _alive(prefix):
    return [name for name in netns.names() if name.startswith(prefix)]


def test_the_machine_s_own_network_is_as_it_was(lab, fabric):
    before = _machine()
    inode = Path("/proc/self/ns/net").stat().st_ino

    cvm = lab.cvm(10)
    fabric.attach_eni(lab.port(11, cvm.instance_id, device_index=1))
    fabric.add_ip("eni-00000011", "10.0.1.50")
    fabric.bind_eip("198.18.0.1", "10.0.1.50")
    fabric.add_nat_gateway("nat-1", "198.18.9.9")
    lab.routes(("0.0.0.0/0", "NAT", "nat-1"))
    lab.reporter(lab.internet)
    assert lab.tcp_source(cvm.netns, "203.0.113.10") == "198.18.9.9"
    during = _machine()
    fabric.close()

    assert during == before
    assert _machine() == before
    assert Path("/proc/self/ns/net").stat().st_ino == inode


def test_close_removes_every_namespace_and_may_be_repeated():
    fabric = VpcFabric(vpc_cidrs=["10.0.0.0/16"])
    prefix = fabric.router_netns.removesuffix("router")
    fabric.add_instance("ins-00000001")
    assert len(_alive(prefix)) == 3

    fabric.close()
    fabric.close()

    assert _alive(prefix) == []
    with pytest.raises(FabricError, match="closed"):
        fabric.add_nat_gateway("nat-1", "198.18.9.9")
    with pytest.raises(FabricError, match="closed"):
        fabric.add_instance("ins-00000002")


@pytest.mark.parametrize(
    ("services", "named"),
    [(["not an address"], "'not an address'"), (["169.254.0.23", "169.254.0.23"], "File exists")],
)
def test_a_fabric_that_cannot_start_leaves_nothing(services, named):
    with pytest.raises(FabricError, match=named):
        VpcFabric(vpc_cidrs=["10.0.0.0/16"], services=services)

    assert _alive(f"tkesim-{os.getpid()}-") == []


def test_the_end_of_the_process_removes_the_namespaces():
    with _own_process() as owner:
        name = owner.stdout.readline().strip()
        assert name in netns.names()

        owner.communicate("end\n", timeout=30)

    assert name not in netns.names()


def test_what_a_killed_process_left_is_swept_by_the_next_start():
    with _own_process() as owner:
        name = owner.stdout.readline().strip()
        owner.send_signal(signal.SIGKILL)
        owner.wait(30)
    assert name in netns.names()

    with VpcFabric(vpc_cidrs=["10.0.0.0/16"]):
        assert name not in netns.names()


def test_a_sweep_leaves_what_belongs_to_the_living_and_to_others():
    stranger = f"not-tkesim-{os.getpid()}"
    netns.create(stranger)
    try:
        with _own_process() as owner, VpcFabric(vpc_cidrs=["10.0.0.0/16"]) as mine:
            name = owner.stdout.readline().strip()

            assert ownership.sweep() == []

            assert {name, stranger, mine.router_netns} <= set(netns.names())
            owner.communicate("end\n", timeout=30)
    finally:
        netns.delete(stranger)


def test_a_process_id_that_is_used_again_does_not_protect_an_orphan():
    orphan = f"tkesim-{os.getpid()}-0.0-router"
    netns.create(orphan)

    assert orphan in ownership.sweep()

    assert orphan not in netns.names()


def test_two_regions_live_side_by_side():
    with VpcFabric(vpc_cidrs=["10.0.0.0/16"]) as one, VpcFabric(vpc_cidrs=["10.0.0.0/16"]) as other:
        one.add_instance("ins-00000001")
        other.add_instance("ins-00000001")

        assert one.netns_of("ins-00000001") != other.netns_of("ins-00000001")


def test_the_main_thread_never_leaves_its_namespace(fabric):
    with pytest.raises(FabricError, match="main thread"):
        netns.enter(fabric.router_netns)
    with pytest.raises(FabricError, match="main thread"):
        netns.write_sysctls({"net.ipv4.ip_forward": "1"})


def test_changes_from_many_threads_do_not_disturb_each_other(lab, fabric):
    cvms = [lab.cvm(number) for number in range(10, 14)]
    errors = []

    def work(index, cvm):
        try:
            for round_number in range(10):
                ip = f"10.0.2.{index * 16 + round_number}"
                eip = f"198.18.{index}.{round_number}"
                fabric.add_ip(cvm.eni_id, ip)
                fabric.bind_eip(eip, ip)
                fabric.spoof_drops()
                fabric.unbind_eip(eip)
                fabric.remove_ip(cvm.eni_id, ip)
        except FabricError as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=entry) for entry in enumerate(cvms)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert lab.ping(cvms[0].netns, cvms[3].ip)
