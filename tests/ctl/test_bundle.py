"""A bundle is made also where nothing works, is for its owner alone, and has no secrets in it."""

import subprocess
import sys
import tarfile

import pytest

from ipamd.ctl.__main__ import main
from ipamd.ctl.exit_codes import ExitCode
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.resources import NODES
from simulator.kube import KubeServer, Store, listen
from tests.cloud.scripted_http import ScriptedHttp

SECRET = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"


def contents(path):
    with tarfile.open(path) as archive:
        return {
            m.name.partition("/")[2]: archive.extractfile(m).read().decode() for m in archive.getmembers()
        }


def bundle(tmp_path, *arguments):
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "b.tar.gz"
    code = main(["--socket", str(tmp_path / "none.sock"), "bundle", "--file", str(path), *arguments])
    return code, path


def test_without_an_agent_the_rest_is_there_and_the_reason(tmp_path, capsys):
    code, path = bundle(tmp_path)

    assert code == 0
    found = contents(path)
    assert "no agent answers" in found["status.json"]
    assert "no agent answers" in found["kernel.json"]
    assert '"tke-eni"' in found["versions.json"]
    assert {"ip-rule.txt", "ip-route.txt", "nft.txt", "nft-ip6.txt", "check.json"} <= set(found)
    assert str(path) in capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o600


def test_logs_are_taken_by_their_end_and_cleaned(tmp_path, monkeypatch):
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", SECRET)
    log = tmp_path / "agent.log"
    log.write_text("old\n" * 2_000_000 + f"signed with {SECRET}\nX-TC-Token: abc/def\nthe end\n")

    _, path = bundle(tmp_path, "--log", f"{tmp_path}/*.log")

    (text,) = [text for name, text in contents(path).items() if name.startswith("log/")]
    assert text.endswith("the end\n")
    assert len(text) <= 4 << 20
    assert SECRET not in text
    assert "abc/def" not in text


def test_the_network_configurations_are_there_and_of_other_files_the_names(tmp_path):
    directory = tmp_path / "net.d"
    directory.mkdir()
    (directory / "10-tke-eni.conflist").write_text('{"name": "tke-eni", "token": "abcdefgh"}')
    (directory / "10-tke-eni.conflist.damaged").write_text("half of i")
    (directory / "calico-kubeconfig").write_text("users: []")

    _, path = bundle(tmp_path, "--cni-conf-dir", str(directory))

    found = {name: text for name, text in contents(path).items() if name.startswith("cni/")}
    assert set(found) == {
        "cni/files.txt",
        "cni/10-tke-eni.conflist",
        "cni/10-tke-eni.conflist.damaged",
    }
    assert '"tke-eni"' in found["cni/10-tke-eni.conflist"]
    assert "abcdefgh" not in found["cni/10-tke-eni.conflist"]
    assert "calico-kubeconfig" in found["cni/files.txt"]


def test_a_directory_of_network_configurations_that_is_not_there_is_named(tmp_path):
    _, path = bundle(tmp_path, "--cni-conf-dir", str(tmp_path / "none"))

    assert str(tmp_path / "none") in contents(path)["cni/files.txt"]


def names_in(path):
    with tarfile.open(path) as archive:
        return {member.name for member in archive.getmembers()}


@pytest.mark.parametrize("name", ["node-7.tar.gz", "node-7.tgz", "node-7"])
def test_its_folder_is_named_for_it(tmp_path, name):
    main(["--socket", str(tmp_path / "none.sock"), "bundle", "--file", str(tmp_path / name)])

    assert {entry.partition("/")[0] for entry in names_in(tmp_path / name)} == {"node-7"}


def test_the_tables_of_both_iptables_and_of_nft_are_there_or_why_not(tmp_path):
    _, path = bundle(tmp_path)

    found = contents(path)
    assert {"iptables-nft.txt", "iptables-legacy.txt", "nft-ruleset.txt", "nft-ruleset.json"} <= set(found)
    assert "/proc/net/ip_tables_names:" in found["iptables-legacy-tables.txt"]


def metrics(_, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\ntke_eni_pods 3")
    return False


def test_metrics_are_there_or_how_they_are_had(tmp_path):
    served = ScriptedHttp(metrics)
    try:
        _, path = bundle(tmp_path, "--metrics", f"{served.url}/metrics")
    finally:
        served.close()
    _, other = bundle(tmp_path / "second", "--metrics", "http://127.0.0.1:1/metrics")

    assert contents(path)["metrics.txt"] == "tke_eni_pods 3"
    assert "--metrics-address" in contents(other)["metrics.txt"]


def test_the_cluster_is_there_as_far_as_it_may_be_read(tmp_path):
    with KubeServer(Store(), [listen()]) as server:
        client = KubeClient(Connection(server=server.url))
        client.create(NODES, {"metadata": {"name": "node-a", "annotations": {"token": "tok-12345678"}}})
        client.close()
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(
            f"{{current-context: c, contexts: [{{name: c, context: {{cluster: k}}}}], "
            f"clusters: [{{name: k, cluster: {{server: '{server.url}'}}}}]}}"
        )
        _, path = bundle(tmp_path, "--kubeconfig", str(kubeconfig))
    found = contents(path)

    assert '"node-a"' in found["cluster/nodes.json"]
    assert "tok-12345678" not in found["cluster/nodes.json"]
    assert found["cluster/events.json"] == "[]"


def test_without_a_cluster_the_reason_is_there(tmp_path):
    _, path = bundle(tmp_path)

    assert "--kubeconfig" in contents(path)["cluster/none.txt"]


def test_where_there_is_no_state_directory_it_is_written_here(tmp_path):
    """As on a host that never had an agent."""
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(tmp_path / "none.sock"), "bundle"]
    argv = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /var/lib && exec "$@"', "sh", *argv]
    subprocess.run(argv, check=True, cwd=tmp_path, capture_output=True, timeout=60)

    assert [file.name for file in tmp_path.glob("tke-eni-*.tar.gz")]


def test_a_file_that_exists_is_not_written_over(tmp_path, capsys):
    (tmp_path / "b.tar.gz").write_text("mine")

    code, path = bundle(tmp_path)

    assert code == ExitCode.FAILED
    assert path.read_text() == "mine"
    assert "exists" in capsys.readouterr().err


def test_a_bundle_goes_to_standard_output_and_its_notice_elsewhere(tmp_path):
    path = tmp_path / "streamed.tar.gz"
    argv = [
        sys.executable,
        "-m",
        "ipamd.ctl",
        "--socket",
        str(tmp_path / "none.sock"),
        "bundle",
        "--file",
        "-",
    ]
    with path.open("wb") as file:
        done = subprocess.run(argv, stdout=file, stderr=subprocess.PIPE, check=True, text=True, timeout=60)

    assert {"versions.json", "check.json"} <= set(contents(path))
    assert "look through it" in done.stderr


def test_logs_that_are_not_there_are_said_to_be_missing(tmp_path):
    _, path = bundle(tmp_path, "--log", f"{tmp_path}/nothing/*.log")

    (text,) = [text for name, text in contents(path).items() if name.startswith("log/")]
    assert f"no file matches {tmp_path}/nothing/*.log" in text
    assert "kubectl" in text


def test_a_place_that_cannot_be_written_names_another(tmp_path, capsys):
    code = main(["--socket", str(tmp_path / "none.sock"), "bundle", "--file", str(tmp_path / "no" / "b")])

    assert code == ExitCode.FAILED
    assert "--file -" in capsys.readouterr().err
