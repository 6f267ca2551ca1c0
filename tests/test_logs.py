"""What the daemons log can be read by machines, whatever the cloud has written into its messages."""

import ast
import json
import logging
import re
from pathlib import Path

import pytest

import ipamd
from ipamd import logs
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import IpamError
from ipamd.core.model import PodRef, SandboxKey

POD = PodRef(namespace="shop", name="web-0", uid="u1")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG  |INFO   |WARNING|ERROR  ) ipamd\.test: .*")
log = logging.getLogger("ipamd.test")


@pytest.fixture(params=logs.FORMATS)
def form(request):
    return request.param


@pytest.fixture(autouse=True)
def loggers_as_before():
    root, ours = logging.getLogger(), logging.getLogger("ipamd")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before


def logged(capsys, form, record):
    logs.configure("debug", form)
    record()
    return capsys.readouterr().err.removesuffix("\n").split("\n")


def fields(capsys, record):
    (line,) = logged(capsys, "json", record)
    return json.loads(line)


@pytest.mark.parametrize(
    "message",
    [
        "line\nfeed",
        "return\rover",
        "\x1b[2Jclear the screen",
        "nul\0",
        "separator\u2028line\x85next\x0bup",
        "right \u202eto left",
        "half \ud800 a character",
        "x" * 100_000,
    ],
)
def test_record_is_one_line_of_bounded_length_whatever_a_message_has(capsys, form, message):
    (line,) = logged(capsys, form, lambda: log.warning("the cloud says: %s", message))

    assert line.isprintable()
    assert len(line) < 2 * logs.LONGEST
    if form == "text":
        assert LINE.fullmatch(line)
    else:
        assert json.loads(line)["message"].startswith(f"the cloud says: {message[:4]}")


def test_line_that_was_cut_says_how_long_it_was(capsys):
    (line,) = logged(capsys, "text", lambda: log.info("x" * 10_000))

    assert line.endswith("x... (10000 characters)")


def fail():
    def misled():
        raise IpamError("first\n2026-11-29T00:00:00.000Z ERROR ipamd.forged: second")

    try:
        misled()
    except IpamError:
        log.exception("a defect")


def test_each_line_of_a_traceback_begins_as_a_line_does(capsys):
    lines = logged(capsys, "text", fail)

    assert all(LINE.fullmatch(line) for line in lines)
    assert any("ipamd.test: | Traceback" in line for line in lines)


def test_traceback_is_a_field_of_its_record(capsys):
    found = fields(capsys, fail)

    assert found["message"] == "a defect"
    assert "ipamd.forged: second" in found["exception"]


def test_line_is_about_what_surrounds_it(capsys):
    def record():
        with logs.about(call_id="c1", pod="web-0", namespace=""), logs.about(eip="eip-1"):
            log.info("bound")

    found = fields(capsys, record)

    assert {name: found[name] for name in logs.FIELDS if name in found} == {
        "call_id": "c1",
        "pod": "web-0",
        "eip": "eip-1",
    }


def test_line_has_the_ids_that_are_given_with_it(capsys):
    found = fields(capsys, lambda: log.info("answered", extra={"request_id": "r-1", "other": "x"}))

    assert found["request_id"] == "r-1"
    assert "other" not in found


def test_what_surrounded_a_line_before_is_forgotten(capsys):
    with pytest.raises(ZeroDivisionError), logs.about(eip="eip-1"):
        1 / 0  # noqa: B018

    assert "eip" not in fields(capsys, lambda: log.info("later"))


def test_objects_in_a_message_are_its_subjects_too(capsys):
    refused = cloud_error("AssociateAddress", "ResourceBusy", "busy", "r-1")
    told = IpamError("not bound")
    told.__cause__ = refused

    def record():
        with logs.about(pod="another", claim="shop/web-0"):
            log.info("%s of Pod %s: %s", SandboxKey(container_id="c1", ifname="eth0"), POD, told)

    found = fields(capsys, record)

    assert (found["namespace"], found["pod"], found["container_id"]) == ("shop", "web-0", "c1")
    assert (found["claim"], found["request_id"]) == ("shop/web-0", "r-1")


def test_field_that_no_reader_knows_is_a_defect():
    with pytest.raises(TypeError, match="podname"), logs.about(podname="web-0"):
        pass


def test_every_logger_of_the_product_has_the_same_name():
    root = Path(ipamd.__file__).parent
    names = {
        f"{path.relative_to(root)}: {ast.unparse(node)}"
        for path in root.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and "getLogger" in ast.unparse(node.value)
    }

    assert names
    assert {name.partition(": ")[2] for name in names} == {"log = logging.getLogger(__name__)"}
