"""The commands of simulator/README.md do what it says."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import simulator

README = (Path(simulator.__file__).parent / "README.md").read_text(encoding="utf-8")


def _block(language: str, number: int = 0) -> str:
    block: str = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[number]
    return block


def test_the_python_sdk_snippet_prints_an_eip(region):
    program = _block("python").replace("127.0.0.1:8000", region.cloud_server.endpoint)

    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    assert output.startswith("198.18.")


def test_the_config_snippet_is_a_region(start, tmp_path):
    config = tmp_path / "region.json"
    config.write_text(_block("json"))

    document = start("--no-fabric", "--config", str(config)).document

    assert document["vpc_cidrs"] == ["10.9.0.0/16"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_admin_commands_succeed(region, admin):
    address = admin.url.removeprefix("http://")
    commands = [line for line in README.splitlines() if line.startswith("curl -s 127.0.0.1:8002")]
    assert len(commands) == 8

    for command in commands:
        line = command.replace("127.0.0.1:8002", address)
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True, timeout=30)
        assert "error" not in json.loads(done.stdout), command


def test_the_table_of_the_ready_file_names_every_field(region):
    document = region.describe()
    table = README[README.index("## The ready file") :]

    for field in (*document, "admin", *document["instances"][0]):
        assert f"`{field}`" in table, field
