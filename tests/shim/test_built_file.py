"""The file that a node gets: complete, lean, reproducible, and bound to its interpreter."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = "/usr/bin/python3.11"
MADE_AT_BUILD = {"__init__", "build", "tree"}
"""Modules that make what a node gets, and are not part of it."""


def build(output, *options, source=ROOT / "cni_plugin", interpreter=INTERPRETER, **environment):
    return subprocess.run(
        [interpreter, source / "build.py", "--output", output, *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def modules_imported(command, environment):
    """Name what an interpreter imports, in the words of its -X importtime."""
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return {
        line.split("|")[2].strip()
        for line in done.stderr.decode().splitlines()
        if line.startswith("import time:")
    }


@pytest.fixture
def imported(plugin):
    """What the built file imports for a verb, beyond what the bare interpreter does."""
    line = plugin.file.read_bytes().partition(b"\n")[0].decode()
    interpreter, option = line.removeprefix("#!").split(" ", 1)

    def run(verb):
        environment = plugin.environment(verb)
        bare = modules_imported([interpreter, "-X", "importtime", "-IS", "-c", "pass"], environment)
        return modules_imported([interpreter, "-X", "importtime", option, plugin.file], environment) - bare

    return run


def test_a_call_imports_nothing_but_the_socket(imported, agent):
    assert imported("ADD") == {"_socket"}
    assert len(agent.calls) == 1


def test_a_del_that_is_queued_imports_two_more(imported, plugin):
    assert imported("DEL") == {"_socket", "fcntl", "_sha256"}
    assert len(list(plugin.queue.glob("*.del"))) == 1


def test_every_module_of_the_package_is_in_the_file(plugin):
    in_package = {path.stem for path in (ROOT / "cni_plugin").glob("*.py")} - MADE_AT_BUILD
    content = plugin.file.read_bytes()

    assert {name for name in in_package if f"cni_plugin/{name}.py".encode() in content} == in_package


def test_the_same_sources_give_the_same_bytes(plugin, tmp_path):
    elsewhere = tmp_path / "copy" / "cni_plugin"
    shutil.copytree(ROOT / "cni_plugin", elsewhere, ignore=shutil.ignore_patterns("__pycache__"))

    assert build(tmp_path / "a", source=elsewhere, PYTHONHASHSEED="1").returncode == 0
    assert build(tmp_path / "b", interpreter=sys.executable, PYTHONHASHSEED="2").returncode == 0

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == plugin.file.read_bytes()


def test_the_file_is_replaced_whole_and_executable(tmp_path):
    (tmp_path / "plugin").write_text("old")

    assert build(tmp_path / "plugin").returncode == 0

    assert os.access(tmp_path / "plugin", os.X_OK)
    assert [entry.name for entry in tmp_path.iterdir()] == ["plugin"]


def test_paths_and_time_are_chosen_when_it_is_built(tmp_path):
    file, socket, queue = tmp_path / "plugin", tmp_path / "other.sock", tmp_path / "other-queue"
    built = build(file, "--socket", socket, "--pending-deletes", queue, "--timeout", "7.5")
    assert built.returncode == 0, built.stderr

    environment = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c", "CNI_IFNAME": "eth0"}
    subprocess.run([file], env=environment, stdin=subprocess.DEVNULL, check=True)
    assert len(list(queue.glob("*.del"))) == 1
    environment["CNI_COMMAND"] = "ADD"
    added = subprocess.run(
        [file], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert str(socket) in json.loads(added.stdout)["msg"]


def test_another_interpreter_path_is_taken(plugin, tmp_path):
    plugin.file = tmp_path / "plugin"
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # the path of a test would be too long
        interpreter = Path(short) / "python"
        interpreter.symlink_to(INTERPRETER)

        assert build(plugin.file, "--interpreter", interpreter).returncode == 0
        assert plugin.run("VERSION").exit_code == 0

    assert plugin.file.read_bytes().startswith(f"#!{interpreter} ".encode())


def test_an_interpreter_of_another_machine_is_taken(tmp_path):
    assert build(tmp_path / "plugin", "--interpreter", "/opt/eni-cni/bin/python3.11").returncode == 0


@pytest.mark.parametrize(
    ("interpreter", "complaint"),
    [
        ("python3.11", "must be an absolute path"),
        ("/opt/my python", "must be an absolute path without blanks"),
        ("/opt/" + "x" * 60 + "/python", "characters too long: kernels before 5.1 take 127 characters"),
        ("/bin/true", "whose bytecode differs"),
    ],
)
def test_an_interpreter_that_cannot_run_the_file_is_refused(tmp_path, interpreter, complaint):
    built = build(tmp_path / "plugin", "--interpreter", interpreter)

    assert built.returncode == 1
    assert complaint in built.stderr
    assert not (tmp_path / "plugin").exists()


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--socket", "ipamd.sock", "must be an absolute path"),
        ("--socket", "/" + "x" * 108, "at most 107 octets"),
        ("--pending-deletes", "queue", "must be an absolute path"),
        ("--timeout", "0", "more than 0"),
        ("--timeout", "nan", "more than 0"),
    ],
)
def test_an_option_that_cannot_work_is_refused(tmp_path, option, value, complaint):
    built = build(tmp_path / "plugin", option, value)

    assert built.returncode == 1
    assert option in built.stderr
    assert complaint in built.stderr


@pytest.mark.parametrize("verb", ["ADD", "VERSION"])
def test_another_bytecode_is_refused_with_what_to_do(plugin, tmp_path, verb):
    ours = repr(MAGIC_NUMBER).encode()
    content = plugin.file.read_bytes()
    assert content.count(ours, 0, 1024) == 1
    plugin.file = tmp_path / "tke-route-eni"
    plugin.file.write_bytes(
        content.replace(ours, repr(b"\xff\xff\r\n").encode().ljust(len(ours)), 1)[: len(content)]
    )
    plugin.file.chmod(0o755)

    error = plugin.run(verb).error

    assert error["code"] == 999
    assert re.search(
        r"built for Python 3\.11\.\d+, but /usr/bin/python3.11 is Python 3\.11\.\d+", error["msg"]
    )
    assert "build.py --interpreter" in error["details"]


def test_a_defect_is_reported_with_its_line(plugin, tmp_path):
    # The only way to a defect that nobody knows yet: take a module out of a copy.
    source = tmp_path / "cni_plugin"
    shutil.copytree(ROOT / "cni_plugin", source)
    (source / "wire.py").write_text((source / "wire.py").read_text().replace('b"\\x0a" +', '"" +'))
    plugin.file = tmp_path / "plugin"
    assert build(plugin.file, source=source).returncode == 0

    error = plugin.run("ADD").error

    assert error["code"] == 999
    assert re.search(r"TypeError\(.*\) in cni_plugin/wire.py:\d+", error["msg"])
