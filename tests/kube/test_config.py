"""Where the connection comes from: a Pod's service account or a kubeconfig."""

import importlib.metadata
import json
import subprocess
import sys

import pytest

import ipamd
from ipamd.core.errors import InvalidInputError
from ipamd.kube import config, errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import PODS

IN_POD = {"KUBERNETES_SERVICE_HOST": "172.16.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path):
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("")
    return tmp_path


def kubeconfig(path, server, user):
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(document))
    return str(path)


def test_inside_a_pod_the_token_is_read_anew_as_it_rotates(account):
    now = [0.0]
    connection = config.in_cluster(IN_POD, account, monotonic=lambda: now[0])
    first = connection.authorization()
    (account / "token").write_text("second")
    now[0] = 61.0

    assert connection.server == "https://172.16.0.1:443"
    assert connection.ca_file == str(account / "ca.crt")
    assert (first, connection.authorization()) == ("Bearer first", "Bearer second")


def test_an_ipv6_service_address_is_bracketed(account):
    connection = config.in_cluster({**IN_POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}, account)

    assert connection.server == "https://[fd00::1]:443"


def test_the_own_namespace_is_that_of_the_downward_api_before_that_of_the_service_account(account):
    assert config.own_namespace("", {}, account) == ""
    (account / "namespace").write_text("team-net\n")

    assert config.own_namespace("", {}, account) == "team-net"
    assert config.own_namespace("", {"POD_NAMESPACE": "tke"}, account) == "tke"


def test_a_kubeconfig_may_be_of_another_cluster_than_the_service_account(account):
    (account / "namespace").write_text("ci-jobs")

    assert config.own_namespace("/home/me/.kube/config", {}, account) == ""
    assert config.own_namespace("/home/me/.kube/config", {"POD_NAMESPACE": "tke"}, account) == "tke"


def test_a_namespace_that_cannot_be_read_is_not_guessed(account):
    (account / "namespace").mkdir()

    with pytest.raises(InvalidInputError, match=f"{account}/namespace .*POD_NAMESPACE"):
        config.own_namespace("", {}, account)


def test_outside_a_pod_without_a_kubeconfig_the_way_out_is_named(account):
    with pytest.raises(InvalidInputError, match="--kubeconfig"):
        config.load("", {})


def test_master_alone_is_enough_for_a_server_that_asks_no_credential():
    connection = config.load("", {}, master="http://169.254.128.1:6443/")

    assert connection.server == "http://169.254.128.1:6443"
    assert connection.authorization() == ""


def test_master_replaces_the_server_and_keeps_the_credential_of_the_kubeconfig(tmp_path):
    path = kubeconfig(tmp_path / "config", "https://far:6443", {"token": "secret"})

    connection = config.load(path, {}, master="https://near:6443")

    assert connection.server == "https://near:6443"
    assert connection.authorization() == "Bearer secret"


@pytest.mark.parametrize(
    "master", ["near:6443", "ftp://near", "https://", "https://near/api", "https://near ", "http://near:x"]
)
def test_a_master_that_is_no_base_url_is_refused(master):
    with pytest.raises(InvalidInputError, match="--master"):
        config.load("", {}, master=master)


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_a_missing_service_account_file_is_named(account, missing):
    (account / missing).unlink()

    with pytest.raises(InvalidInputError, match=missing):
        config.in_cluster(IN_POD, account)


def test_a_token_that_vanishes_before_the_first_request_is_named_by_it(account):
    connection = config.in_cluster(IN_POD, account)
    (account / "token").unlink()

    with pytest.raises(errors.ForbiddenError, match="token"):
        connection.authorization()


def test_a_kubeconfig_gives_server_and_token(server, tmp_path):
    path = kubeconfig(tmp_path / "config", server.url + "/", {"token": "secret"})

    connection = config.load(path, {})
    client = KubeClient(connection)

    assert connection.server == server.url
    assert connection.authorization() == "Bearer secret"
    assert client.list(PODS).items == []
    client.close()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"current-context": "nowhere"}'])
def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path, content):
    path = tmp_path / "config"
    path.write_text(content)

    with pytest.raises(InvalidInputError, match=str(path)):
        config.from_kubeconfig(str(path))


def test_a_kubeconfig_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match="absent"):
        config.from_kubeconfig(str(tmp_path / "absent"))


def test_the_adapter_does_not_import_the_kubernetes_package():
    code = (
        "import sys, ipamd.kube.watch, ipamd.kube.events, ipamd.kube.leases; "
        "print(sorted(m for m in ('kubernetes', 'requests', 'yaml') if m in sys.modules))"
    )

    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert printed.strip() == "[]"


def test_the_release_is_the_package_s():
    assert ipamd.__version__ == importlib.metadata.version("tke-eni")
