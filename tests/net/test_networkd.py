"""What Debian's own systemd-networkd takes away from the node, because it does not know it, comes back."""

import contextlib
import subprocess

import pytest

from ipamd.net.kernel_watch import KernelWatch
from tests.net.world import INTERNET_IP, NEIGHBOUR_IP, source_seen

pytestmark = pytest.mark.netns
POD = "10.0.1.100"

SCRIPT = """
set -e
mount -t tmpfs tmpfs /run
mount --bind /sys /sys
mount -o remount,ro,bind /sys  # so that networkd does not wait for a udev that is not there
mkdir -p /run/systemd/network /run/systemd/netif /run/dbus
chown systemd-network:systemd-network /run/systemd/netif
cat > /run/systemd/network/10-eth1.network <<END
[Match]
Name=eth1
[Network]
LinkLocalAddressing=no
IPv6AcceptRA=no
END
dbus-daemon --system --nofork --nopidfile & bus=$!
/lib/systemd/systemd-networkd & networkd=$!
trap 'kill $networkd $bus; wait || true' EXIT
for attempt in $(seq 100); do
  if networkctl list --no-pager 2>/dev/null | grep -q 'eth1.*configured'; then
    networkctl reconfigure eth1
    for again in $(seq 100); do
      if ! ip rule | grep -q '^512:'; then exit 0; fi
      sleep 0.1
    done
  fi
  sleep 0.1
done
echo "networkd did not configure eth1"; networkctl list --no-pager; exit 1
"""


def test_networkctl_reconfigure_takes_our_rules_and_they_come_back(world):
    world.serve(world.internet, INTERNET_IP)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    pod = world.add_pod(POD, eip=True)
    before = world.node.run("ip", "rule"), world.node.run("ip", "route", "show", "table", "4003")
    with contextlib.closing(world.on_node(KernelWatch)) as watch:
        command = ["ip", "netns", "exec", world.node.name, "unshare", "--mount", "sh", "-c", SCRIPT]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "proto 116" not in world.node.run("ip", "rule"), "the damage has to be one"
        assert "rule" in watch.wait(5.0), "the kernel has to tell of it"

    world.ensure()

    assert (world.node.run("ip", "rule"), world.node.run("ip", "route", "show", "table", "4003")) == before
    assert world.on_node(lambda: world.dataplane.connect_pod(world.pods[POD]))
    assert source_seen(pod, INTERNET_IP) == POD
    assert source_seen(pod, NEIGHBOUR_IP) == POD
