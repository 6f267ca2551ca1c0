"""`--table PAGE` writes what was said of the faults into the page, in the place that it has for it."""

from pathlib import Path

import pytest

from testbed.documentation import measured
from tests.agent.findings import checked_bed
from tests.agent.findings.faults import FAULTS

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
