"""The file that a node gets: one program without needs, complete, reproducible and hardened."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.shim.conftest import INTERPRETER, ROOT

PACKAGE = ROOT / "cni_plugin"
NOT_IN_THE_FILE = {"__init__", "__main__", "build"}


def build(output, *options, source=PACKAGE, interpreter=INTERPRETER, **environment):
    return subprocess.run(
        [interpreter, source / "build.py", "--output", output, *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def modules():
    return {path.stem: path for path in PACKAGE.glob("*.py") if path.stem not in NOT_IN_THE_FILE}


def imported(path):
    """Name the modules that a source imports, but for those of the package itself."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return names - {"cni_plugin"}


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_imports_what_is_linked_in(name):
    """There is no import system that could find anything else."""
    linked = set(re.findall(r'\{"(\w+)", Py', (PACKAGE / "linked.c").read_text()))

    assert imported(modules()[name]) <= linked | {"sys"}


def test_every_linked_module_is_imported():
    linked = set(re.findall(r'\{"(\w+)", Py', (PACKAGE / "linked.c").read_text()))

    assert linked <= set.union(*(imported(path) for path in modules().values()))


def test_every_module_of_the_package_is_in_the_file(plugin):
    content = plugin.file.read_bytes()

    assert {name for name in modules() if f"cni_plugin/{name}.py".encode() in content} == set(modules())


def test_the_same_sources_give_the_same_bytes(plugin, tmp_path):
    elsewhere = tmp_path / "copy" / "cni_plugin"
    shutil.copytree(PACKAGE, elsewhere, ignore=shutil.ignore_patterns("__pycache__"))

    assert build(tmp_path / "a", source=elsewhere, PYTHONHASHSEED="1").returncode == 0
    assert build(tmp_path / "b", interpreter=sys.executable, PYTHONHASHSEED="2", LC_ALL="C").returncode == 0

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == plugin.file.read_bytes()


def readelf(plugin, *options):
    return subprocess.run(
        ["readelf", *options, plugin.file], check=True, capture_output=True, text=True
    ).stdout


def test_it_needs_no_loader_and_no_library(plugin):
    assert "INTERP" not in readelf(plugin, "-lW")
    assert "NEEDED" not in readelf(plugin, "-dW")


def test_its_addresses_are_random_and_no_memory_is_writable_and_executable(plugin):
    segments = readelf(plugin, "-lW")

    assert "DYN (Position-Independent Executable file)" in segments
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK.* RW  ", segments)
    assert not re.search(r" (RWE|WE) ", segments)
    assert "NOW" in readelf(plugin, "-dW")


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


def test_what_the_build_needs_is_named(tmp_path):
    without_compiler = build(tmp_path / "plugin", "--compiler", "no-such-compiler")
    without_library = build(tmp_path / "plugin", "--root", tmp_path)

    assert "no-such-compiler cannot be run: No such file or directory; install gcc" in without_compiler.stderr
    assert "libpython3.11-pic.a is missing; install libpython3.11-dev" in without_library.stderr
    assert [without_compiler.returncode, without_library.returncode] == [1, 1]
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_does_not_compile_leaves_the_old_file(tmp_path):
    source = broken_copy(tmp_path, "program.c", "int main(void)\n{", "int main(void)\n{ mistake")
    (tmp_path / "plugin").write_text("old")

    built = build(tmp_path / "plugin", source=source)

    assert built.returncode == 1
    assert "mistake" in built.stderr
    assert (tmp_path / "plugin").read_text() == "old"


def test_a_file_that_does_not_start_is_not_delivered(tmp_path):
    """As if another patch release of CPython had changed what is private."""
    source = broken_copy(
        tmp_path, "program.c", "config._install_importlib = 0", "config._install_importlib = 1"
    )

    built = build(tmp_path / "plugin", source=source)

    assert built.returncode == 1
    assert "was built and does not start" in built.stderr
    assert not (tmp_path / "plugin").exists()


def broken_copy(directory, file, old, new):
    """Return a copy of the sources with a defect: the only way to one that nobody knows yet."""
    source = directory / "cni_plugin"
    shutil.copytree(PACKAGE, source)
    text = (source / file).read_text()
    assert old in text
    (source / file).write_text(text.replace(old, new, 1))
    return source


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("wire.py", 'b"\\x0a" +', '"" +', r"TypeError\(.*\) in cni_plugin/wire.py:\d+"),
        (
            "pending.py",
            "LARGEST_QUEUE = 512",
            "LARGEST_QUEUE = 5 / 0",
            r"ZeroDivisionError.* in cni_plugin/pending.py:\d+",
        ),
        ("pending.py", "import fcntl", "import json", r"SystemError.* in cni_plugin/pending.py:\d+"),
    ],
    ids=["while it runs", "in a module that is loaded late", "an import of what is not linked in"],
)
def test_a_defect_is_reported_with_its_line(plugin, tmp_path, file, old, new, complaint):
    plugin.file = tmp_path / "plugin"
    assert build(plugin.file, source=broken_copy(tmp_path, file, old, new)).returncode == 0

    error = plugin.run("DEL").error

    assert error["code"] == 999
    assert re.search(complaint, error["msg"])


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("status.py", "UNKNOWN = 2", "UNKNOWN = 2 / 0", "ZeroDivisionError in cni_plugin/status.py:9"),
        ("loader.py", "\nimport sys", "\nimport json", "SystemError in cni_plugin/loader.py:9"),
        ("main.py", "while stdout:", "while stdouts:", "NameError in cni_plugin/main.py:"),
        ("main.py", "posix._exit(exit_code)", "return", "no exception in program.c:"),
    ],
    ids=["in a module", "in the loader", "after the verb", "an end that is none"],
)
def test_a_defect_where_no_python_code_reports_it_is_reported_by_the_program(
    plugin, tmp_path, file, old, new, complaint
):
    source = broken_copy(tmp_path, file, old, new)
    text = (source / "build.py").read_text()
    # A plugin with such a defect would not be delivered.
    (source / "build.py").write_text(text.replace("            _check_starts(temporary)", "            pass"))
    plugin.file = tmp_path / "plugin"
    assert build(plugin.file, source=source).returncode == 0

    outcome = plugin.run("ADD")

    error = json.loads(outcome.stdout.splitlines()[-1])
    assert (outcome.exit_code, outcome.stderr, error["code"]) == (1, b"", 999)
    assert complaint in error["msg"]


def test_it_runs_out_of_a_checkout_as_well(plugin, agent):
    """Not for nodes: for whoever looks for a defect."""
    agent.reply_with(b'{"cniVersion": "1.0.0"}')

    done = subprocess.run(
        [INTERPRETER, "-m", "cni_plugin"],
        cwd=ROOT,
        env=plugin.environment("ADD"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b'{"cniVersion": "1.0.0"}', b"")
