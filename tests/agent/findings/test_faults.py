"""Each fault that an operator meets at night is one finding: cause, whom it concerns, and what to do.

The kernel tells of no change while a test says so (`holding_launcher`), else it would be mended before
anybody looks. The last test prints the table of docs/findings.md from what was really said: `pytest -s`.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipamd.core.findings.codes import code_of
from tests.agent.conftest import AgentBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

LAUNCHER = Path(__file__).with_name("holding_launcher.py")
SAID: list[tuple[str, float, dict[str, str]]] = []
"""Rows of the table: fault, seconds, words."""


class HoldingBed(AgentBed):
    """A node that hears of no change in the kernel when the test wants it so."""

    conf = Path()
    of_pod = ip = veth = None

    @property
    def held(self):
        return self.directory / "held"

    def start_agent(self, **options):
        super().start_agent(**{**options, "launcher": (str(LAUNCHER), str(self.held))})

    def check(self, *flags):
        argv = [
            sys.executable,
            "-m",
            "ipamd.ctl",
            "--socket",
            str(self.socket),
            "check",
            "-o",
            "json",
            *flags,
        ]
        began = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout), time.monotonic() - began

    def problems(self):
        return [f for f in self.check()[1]["findings"] if f["severity"] != "info"]

    def only_finding(self, fault, code):
        """Return what `check` says when it says one thing of this code."""

        def told():
            said = self.problems()
            return [finding["code"] for finding in said] == [code] and said

        self.eventually(f"{fault} is {code} and nothing else", told, seconds=10)
        exit_code, answer, seconds = self.check()
        (finding,) = [f for f in answer["findings"] if f["severity"] != "info"]
        assert exit_code == 1
        assert finding["code"] == code
        assert finding["nextStep"]
        assert finding["severity"] == code_of(code).facts.severity.value
        SAID.append((fault, seconds, finding))
        return finding

    def is_well(self):
        exit_code, answer, _ = self.check()
        return exit_code == 0 and not self.problems() and not answer["problems"]


@pytest.fixture(scope="module")
def wired(tmp_path_factory):
    """A node with three Pods, one of them with an EIP."""
    with HoldingBed(tmp_path_factory.mktemp("held")) as node:
        conf = node.directory / "net.d" / "10-tke-eni.conflist"
        node.begin("--repair-interval=1h", f"--cni-conf={conf}", "--no-port-mapping")
        node.conf = conf
        _, sandbox, node.of_pod = node.pod_with_eip("with-eip")
        assert node.call("add", sandbox)[0] == 0
        for name in ("one", "two"):
            _, sandbox = node.pod_and_sandbox(name)
            code, result = node.call("add", sandbox)
            assert code == 0
        node.ip = result["ips"][0]["address"].removesuffix("/32")
        node.veth = result["interfaces"][0]["name"]
        node.eventually("all is well", node.is_well, seconds=60)
        yield node


@pytest.fixture
def node(wired):
    """The node in order before and after the test."""
    wired.eventually("all is well before", wired.is_well, seconds=15)
    yield wired
    wired.held.unlink(missing_ok=True)
    wired.admin.post("/faults", {"clear": True})
    wired.admin.delete("/kube/faults")
    wired.eventually("all is well after", wired.is_well, seconds=15)


OURS = {
    "a policy rule gone": ("ip rule del priority 512", "PolicyRule"),
    "the rule of an ENI gone": ("ip rule del priority 1536", "PolicyRule"),
    "the table of an ENI flushed": ("ip route flush table {table}", "EniRoute"),
    "the link of an ENI down": ("ip link set eth1 down", "EniLink"),
    "the MTU of an ENI changed": ("ip link set eth1 mtu 1400", "EniLink"),
    "ip_forward=0": ("sysctl -qw net.ipv4.ip_forward=0", "KernelSetting"),
    "src_valid_mark=0": ("sysctl -qw net.ipv4.conf.eth1.src_valid_mark=0", "KernelSetting"),
    "forwarding of an ENI off": ("sysctl -qw net.ipv4.conf.eth1.forwarding=0", "KernelSetting"),
    "the nft table gone": ("nft delete table ip tke_eni", "NftTable"),
    "the nft table for IPv6 gone": ("nft delete table ip6 tke_eni", "NftTable"),
    **{
        f"chain {chain} flushed": (f"nft flush chain ip tke_eni {chain}", "NftChain")
        for chain in (
            "sources",
            "prerouting",
            "postrouting",
            "leave_0x20000",
            "pod_0x20000",
            "arrive_0x20000",
            "depart_0x20000",
        )
    },
    "a map flushed": ("nft flush map ip tke_eni eni_returns", "NftSet"),
    "a set flushed": ("nft flush set ip tke_eni direct_cidrs", "NftSet"),
    "the map of Pods flushed": ("nft flush map ip tke_eni pods", "PodElement"),
    "the route to a Pod gone": ("ip route del {ip}", "PodRoute"),
    "the link of a Pod down": ("ip link set {veth} down", "PodLink"),
    "a Pod's address on a link of the node": ("ip address add {ip}/32 dev eth1", "PodAddressOnLink"),
}


@pytest.mark.parametrize("fault", OURS)
def test_what_is_ours_is_one_finding_and_fix_mends_it(node, fault):
    command, code = OURS[fault]
    (table,) = {str(eni["routeTable"]) for eni in node.ctl("enis")["enis"] if eni["inUse"]}
    node.held.touch()
    node.on_node(*command.format(ip=node.ip, veth=node.veth, table=table).split())

    finding = node.only_finding(fault, code)

    assert finding["repairable"]
    exit_code, answer, _ = node.check("--fix")
    assert exit_code == 0, answer
    assert any(said.startswith(f"{code} ") for said in answer["repaired"]), answer["repaired"]
    assert node.is_well()


FOREIGN_NAT = (
    "nft add table ip theirs ; nft 'add chain ip theirs post {{ type nat hook postrouting priority 0 ; }}' ; "
)
OTHERS = {
    "the main rule gone": (
        "ip rule del priority 32766",
        "ip rule add priority 32766 lookup main",
        "MainRule",
    ),
    "a foreign rule takes a Pod's packets": (
        "ip rule add from {ip} lookup 99 priority 100",
        "ip rule del priority 100",
        "ForeignRule",
    ),
    "FORWARD DROP (iptables-nft)": (
        "iptables-nft -P FORWARD DROP",
        "iptables-nft -P FORWARD ACCEPT",
        "ForwardDrop",
    ),
    "FORWARD DROP (iptables-legacy)": (
        "iptables-legacy -P FORWARD DROP",
        "iptables-legacy -P FORWARD ACCEPT",
        "ForwardDrop",
    ),
    "a masquerade in front of ours": (
        FOREIGN_NAT + "nft add rule ip theirs post masquerade",
        "nft delete table ip theirs",
        "NatBeforeOurs",
    ),
}


@pytest.mark.parametrize("fault", OTHERS)
def test_what_is_somebody_elses_is_one_finding_with_the_next_step_and_is_left_alone(node, fault):
    damage, undo, code = OTHERS[fault]
    run_all(node, damage)

    try:
        finding = node.only_finding(fault, code)

        assert not finding["repairable"]
        assert node.check("--fix")[0] == 1, "it is not ours to mend"
    finally:
        run_all(node, undo)


def run_all(node, commands):
    node.on_node("sh", "-c", commands.format(ip=node.ip))


LET_THROUGH = {
    "iptables-nft with a rule for Pods": (
        "iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -i eni+ -j ACCEPT",
        "iptables-nft -P FORWARD ACCEPT; iptables-nft -F FORWARD",
    ),
    "iptables-legacy with a rule for Pods": (
        "iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -i eni+ -j ACCEPT",
        "iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F FORWARD",
    ),
    "a masquerade in front of ours of others' networks": (
        FOREIGN_NAT + "nft add rule ip theirs post ip saddr 172.17.0.0/16 masquerade",
        "nft delete table ip theirs",
    ),
    "ip-masq-agent's": (
        "iptables-nft -t nat -A POSTROUTING -j MASQUERADE",
        "iptables-nft -t nat -F POSTROUTING",
    ),
}


@pytest.mark.parametrize("case", LET_THROUGH)
def test_what_does_not_harm_pods_is_no_finding(node, case):
    setting, undo = LET_THROUGH[case]
    run_all(node, setting)
    try:
        assert node.problems() == []
    finally:
        run_all(node, undo)


def test_a_network_configuration_that_cannot_be_kept_is_one_finding(node):
    other = node.conf.with_name("00-other.conflist")
    other.write_text("{}")

    finding = node.only_finding("another CNI configuration comes first", "CniConfiguration")

    assert other.name in finding["text"]
    other.unlink()


def test_a_network_configuration_that_is_gone_is_back_at_once(node):
    node.conf.unlink()

    node.eventually("it is back", node.conf.exists)
    assert node.is_well()


def test_a_daemon_that_hangs_is_one_finding(node):
    node.agent.process.send_signal(19)  # SIGSTOP
    try:
        argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(node.socket), "check"]
        began = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    finally:
        node.agent.process.send_signal(18)

    assert done.returncode == 3
    assert done.stdout.startswith("ERROR    AgentHung node/agent: ")
    assert time.monotonic() - began < 30


def test_a_daemon_that_is_dead_is_one_finding(tmp_path):
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(tmp_path / "none"), "check", "-o", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["code"] == "AgentNotRunning"
    assert "kubectl" in finding["nextStep"]


def test_a_node_is_well_while_pods_come_and_go(node):
    for number in range(4):
        _, sandbox = node.pod_and_sandbox(f"passing-{number}")
        process = subprocess.Popen(
            [sys.executable, "-m", "ipamd.ctl", "--socket", str(node.socket), "check", "-o", "json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert node.call("add", sandbox)[0] == 0
        node.delete_pod(sandbox)
        said, _ = process.communicate()
        assert [f for f in json.loads(said)["findings"] if f["severity"] != "info"] == []


def test_a_message_is_one_line_where_no_people_look(node):
    node.held.touch()
    node.on_node("ip", "link", "set", "eth1", "down")
    node.only_finding("down", "EniLink")
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(node.socket), "check"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    head, breaks, following, summary = shown.splitlines()[:4]
    assert head == "ERROR    EniLink link/eth1: link eth1 is down, and has to be up"
    assert breaks.startswith("         breaks: ")
    assert "default/with-eip" in breaks
    assert following.startswith("         next: ")
    assert summary.endswith("mends 1")


def test_an_api_server_that_is_away_is_one_finding(node):
    node.admin.post("/kube/faults", {"kind": "refuse"})

    finding = node.only_finding("the API server away", "ApiServerAway")

    assert "last good" in finding["text"]


def test_the_table_of_what_was_said():
    """For docs/findings.md."""
    assert SAID
    for fault, seconds, finding in SAID:
        print(f"| {fault} | `ipamctl check` | {seconds:.1f} | {finding['code']} {finding['text']} |")
