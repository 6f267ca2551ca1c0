"""`make pictures`: the status pages and the dashboard as they look, from a node on which something happens.

A region with one node, its agent and a controller; Pods come and go for two minutes, some with EIPs, more
than the account has; a rule is taken away, the cloud refuses for a while. A real Prometheus scrapes both and
answers the dashboard's own queries. No Grafana is needed, and none can be had as a package.
"""

import contextlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.bed import Bed
from testbed.browser import Browser
from testbed.monitoring import drawing
from testbed.monitoring.prometheus import Prometheus, Relay

if TYPE_CHECKING:
    from testbed.runtime import Sandbox

_ROOT: Final = Path(__file__).parents[2]
_DASHBOARD: Final = _ROOT / "deploy" / "components" / "monitoring" / "dashboard.json"
_PICTURES: Final = _ROOT / "docs" / "img"
_METRICS, _STATUS = "127.0.0.1:61681", "127.0.0.1:61682"
_CONTROLLER_METRICS, _CONTROLLER_STATUS = "127.0.0.1:61692", "127.0.0.1:61693"
_SECONDS: Final = 120.0
_REGION: Final = {
    "instances": [{"instance_type": "S5.2XLARGE16", "public_ip": True}],
    "quotas": {"total_eips": 5, "daily_eip_applications": 200},
}


def main() -> int:
    """Make the pictures anew."""
    with tempfile.TemporaryDirectory(prefix="tke-eni-pictures-") as kept, contextlib.ExitStack() as stack:
        directory = Path(kept)
        bed = stack.enter_context(Bed(directory / "bed"))
        bed.start_region(_REGION)
        bed.start_controller(
            options=[f"--metrics-address={_CONTROLLER_METRICS}", f"--status-address={_CONTROLLER_STATUS}"]
        )
        bed.start_agent(
            options=[
                f"--metrics-address={_METRICS}",
                f"--status-address={_STATUS}",
                "--add-timeout=4s",
                "--ip-cooldown=20s",
            ]
        )
        bed.wait_until_ready()
        relay = Relay(bed.node.netns, f"http://{_METRICS}/metrics")
        stack.callback(relay.close)
        targets = {
            relay.address: {"job": "tke-eni-agent", "node": bed.node.name, "pod": "tke-eni-agent-x7k2p"},
            _CONTROLLER_METRICS: {"job": "tke-eni-ipamd", "node": bed.node.name, "pod": "tke-eni-ipamd-0"},
        }
        prometheus = stack.enter_context(Prometheus(directory, targets))
        _live(bed)
        _photograph(bed)
        content, height = drawing.page(json.loads(_DASHBOARD.read_text()), prometheus, _SECONDS)
        drawn = directory / "dashboard.html"
        drawn.write_bytes(content)
        where = _PICTURES / "dashboard.png"
        Browser().picture(drawn.as_uri(), where, width=drawing.WIDTH, height=height, scale=0.75)
    for picture in sorted(_PICTURES.glob("*.png")):
        subprocess.run(["pngquant", "--force", "--ext", ".png", "64", picture], check=True)
        print(f"{picture.relative_to(_ROOT)}: {picture.stat().st_size // 1024} KiB")
    return 0


def _live(bed: Bed) -> None:
    """Let Pods come and go, and something go wrong."""
    choice = random.Random(1)
    end, numbers = time.monotonic() + _SECONDS, itertools.count()
    running: list[Sandbox] = []
    troubles = [(80.0, _take_a_rule), (50.0, _refuse)]
    while (left := end - time.monotonic()) > 0:
        if troubles and left < troubles[0][0]:
            troubles.pop(0)[1](bed)
        eip = choice.random() < 0.4
        annotations = {"eip-attributes": ""} if eip else None
        sandbox, outcome = bed.add_pod(f"web-{next(numbers)}", annotations=annotations, eip=eip)
        if outcome.exit_code == 0 or eip:  # with EIP it is there also while it waits for it
            running.append(sandbox)
        if len(running) > 12:
            bed.delete_pod(running.pop(choice.randrange(len(running))))
        time.sleep(choice.uniform(0.2, 1.5))


def _take_a_rule(bed: Bed) -> None:
    subprocess.run(["ip", "-n", bed.node.netns, "rule", "del", "priority", "512"], check=True)


def _refuse(bed: Bed) -> None:
    bed.admin.post("/faults", {"add": [{"kind": "http_500", "action": "DescribeAddresses", "count": 12}]})


def _photograph(bed: Bed) -> None:
    node, here = Browser(netns=bed.node.netns), Browser()
    node.picture(f"http://{_STATUS}/", _PICTURES / "status-agent.png", width=1000, height=1250, scale=0.9)
    here.picture(
        f"http://{_CONTROLLER_STATUS}/",
        _PICTURES / "status-controller.png",
        width=1000,
        height=1000,
        scale=0.9,
    )


if __name__ == "__main__":
    sys.exit(main())
