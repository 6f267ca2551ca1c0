"""The light reader of kubeconfigs: it says the same as the Kubernetes client, or leaves the matter to it."""

import subprocess
import sys

import pytest
import yaml
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from ipamd.kube import config, kubeconfig


def written(tmp_path, *, cluster=None, user=None, context=None):
    for name in ("ca.crt", "client.crt", "client.key"):
        (tmp_path / name).write_text("-")
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [
            {"name": "other", "cluster": {"server": "http://192.0.2.1"}},
            {"name": "ours", "cluster": {"server": "https://192.0.2.2:6443", **(cluster or {})}},
        ],
        "users": [{"name": "me", "user": user or {}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "ours", "user": "me", **(context or {})}},
            {"name": "there", "context": {"cluster": "other", "user": "me"}},
        ],
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(content))
    return str(path)


PLAIN = [
    {},
    {"user": {"token": "secret"}},
    {"cluster": {"certificate-authority": "ca.crt"}},
    {"cluster": {"insecure-skip-tls-verify": True}, "user": {"token": "secret"}},
    {"user": {"client-certificate": "client.crt", "client-key": "client.key"}},
    {"cluster": {"tls-server-name": "kubernetes", "proxy-url": "http://192.0.2.9:3128"}},
    {"context": {"namespace": "default"}},
]


@pytest.mark.parametrize("fields", PLAIN)
def test_plain_kubeconfig_means_what_the_kubernetes_client_makes_of_it(tmp_path, fields):
    path = written(tmp_path, **fields)
    expected = kubernetes_client.Configuration(proxy="")
    kubernetes_config.load_kube_config(config_file=path, client_configuration=expected, persist_config=False)

    read = config.from_kubeconfig(path)

    assert kubeconfig.read_plain(path) is not None
    assert read.server == expected.host
    assert read.authorization() == (expected.get_api_key_with_prefix("BearerToken") or "")
    assert read.ca_file == (expected.ssl_ca_cert or "")
    assert (read.cert_file, read.key_file) == (expected.cert_file or "", expected.key_file or "")
    assert read.verify == expected.verify_ssl
    assert read.tls_server_name == (expected.tls_server_name or "")
    assert read.proxy == (expected.proxy or "")


@pytest.mark.parametrize(
    "fields",
    [
        {"user": {"exec": {"command": "tke-token"}}},
        {"user": {"auth-provider": {"name": "oidc"}}},
        {"user": {"username": "admin", "password": "x"}},
        {"user": {"client-certificate-data": "LQ==", "client-key-data": "LQ=="}},
        {"user": {"token": "secret", "as": "somebody"}},
        {"user": {"token": 7}},
        {"cluster": {"certificate-authority-data": "LQ=="}},
        {"cluster": {"server": ""}},
        {"cluster": {"server": None}},
        {"context": {"cluster": "nowhere"}},
    ],
)
def test_whatever_is_not_plain_is_left_to_the_kubernetes_client(tmp_path, fields):
    assert kubeconfig.read_plain(written(tmp_path, **fields)) is None


def test_named_context_wins_over_the_current_one(tmp_path):
    assert config.from_kubeconfig(written(tmp_path), "there").server == "http://192.0.2.1"


@pytest.mark.parametrize("content", ["", "[]", "{", "a: &a [*a]", "clusters: 7", "contexts: [1, {name: x}]"])
def test_nonsense_is_not_plain(tmp_path, content):
    path = tmp_path / "config"
    path.write_text(content)

    assert kubeconfig.read_plain(str(path)) is None


def test_plain_kubeconfig_is_read_without_the_kubernetes_package(tmp_path):
    code = f"import sys; from ipamd.kube import config; config.load({written(tmp_path)!r}, {{}}); "
    code += "print('kubernetes' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert printed.strip() == "False"
