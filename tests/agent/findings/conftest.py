"""`--table PAGE` writes what was said of the faults into the page, in the place that it has for it."""

from pathlib import Path

import pytest

from testbed.documentation import measured
from tests.agent.findings import checked_bed
from tests.agent.findings.faults import FAULTS
from tests.agent.findings.holding_bed import HoldingBed

_PROPERTY = "fault"
_said = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_addoption(parser):
    parser.addoption("--table", type=Path, help="page whose table of faults gets what these tests have seen")


def pytest_configure(config):
    config.stash[_said] = {}
    config.pluginmanager.register(_Collector(config))


class _Collector:
    """Gathers rows from the reports of all workers."""

    def __init__(self, config):
        self._config = config

    def pytest_runtest_logreport(self, report):
        if report.when == "teardown":
            for name, row in report.user_properties:
                if name == _PROPERTY:
                    self._config.stash[_said][row["fault"]] = row

    def pytest_sessionfinish(self):
        page, said = self._config.getoption("--table", None), self._config.stash[_said]
        if page is not None and said and not hasattr(self._config, "workerinput"):
            text = page.read_text(encoding="utf-8")
            page.write_text(measured.with_rows(text, FAULTS, said), encoding="utf-8")


@pytest.fixture(autouse=True)
def rows_for_the_table(request):
    checked_bed.ROWS.clear()
    yield
    request.node.user_properties += [(_PROPERTY, row) for row in checked_bed.ROWS]


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
    if wired.most_repaired() > 1:
        # Five repairs of one thing in ten minutes are a finding of their own.
        wired.begin_anew()
    wired.eventually("all is well before", wired.is_well, seconds=60)
    yield wired
    wired.held.unlink(missing_ok=True)
    wired.admin.post("/faults", {"clear": True})
    wired.admin.delete("/kube/faults")
    wired.eventually("all is well after", wired.is_well, seconds=60)
