"""Kubeconfigs: they mean what the Kubernetes client makes of them, or are refused in words."""

import base64
import contextlib
import http.server
import json
import ssl
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
import yaml
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from ipamd.core.errors import InvalidInputError
from ipamd.kube import config
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import ForbiddenError, UnreachableError
from ipamd.kube.resources import NODES
from tests.kube.certificates import Authority

AUTHORITY = Authority()
EXEC = {"command": "true", "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}


def written(tmp_path, *, cluster=None, user=None, context=None, current="here"):
    certificate, key = AUTHORITY.issue("client")
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.certificate)
    (tmp_path / "client.crt").write_bytes(certificate)
    (tmp_path / "client.key").write_bytes(key)
    (tmp_path / "locked.key").write_bytes(AUTHORITY.locked(key))
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [
            {"name": "other", "cluster": {"server": "http://192.0.2.1"}},
            {"name": "ours", "cluster": {"server": "https://192.0.2.2:6443", **(cluster or {})}},
            {"name": "twice", "cluster": {"server": "http://192.0.2.3"}},
            {"name": "twice", "cluster": {"server": "http://192.0.2.4"}},
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
    {"user": {"username": "admin", "password": "x"}},
    {"cluster": {"certificate-authority": "ca.crt"}},
    {"cluster": {"insecure-skip-tls-verify": True}, "user": {"token": "secret"}},
    {"user": {"client-certificate": "client.crt", "client-key": "client.key"}},
    {"cluster": {"tls-server-name": "kubernetes", "proxy-url": "http://192.0.2.9:3128"}},
    {"cluster": {"server": "https://192.0.2.2/k8s/clusters/c-1/"}},
    {"context": {"namespace": "default"}},
]


@pytest.mark.parametrize("fields", PLAIN)
def test_a_kubeconfig_means_what_the_kubernetes_client_makes_of_it(tmp_path, fields):
    path = written(tmp_path, **fields)
    expected = kubernetes_client.Configuration(proxy="")
    kubernetes_config.load_kube_config(config_file=path, client_configuration=expected, persist_config=False)

    read = config.from_kubeconfig(path)

    assert read.server == expected.host
    assert read.authorization() == (expected.get_api_key_with_prefix("BearerToken") or "")
    assert read.ca_file == (expected.ssl_ca_cert or "")
    assert (read.cert_file, read.key_file) == (expected.cert_file or "", expected.key_file or "")
    assert read.verify == expected.verify_ssl
    assert read.tls_server_name == (expected.tls_server_name or "")
    assert read.proxy == (expected.proxy or "")


def encoded(path):
    return base64.b64encode(path.read_bytes()).decode()


def test_certificates_and_keys_may_stand_in_the_kubeconfig_and_win_over_files(tmp_path):
    written(tmp_path)
    data = {name: encoded(tmp_path / name) for name in ("ca.crt", "client.crt", "client.key")}
    cluster = {"certificate-authority-data": data["ca.crt"], "certificate-authority": "absent"}
    user = {"client-certificate-data": data["client.crt"], "client-key-data": data["client.key"]}

    read = config.from_kubeconfig(written(tmp_path, cluster=cluster, user=user))

    for name, held in (
        ("ca.crt", read.ca_file),
        ("client.crt", read.cert_file),
        ("client.key", read.key_file),
    ):
        assert base64.b64encode(Path(held).read_bytes()).decode() == data[name]


def test_a_token_file_wins_over_a_token_and_is_found_beside_the_kubeconfig(tmp_path):
    (tmp_path / "token").write_text("from-file\n")

    read = config.from_kubeconfig(written(tmp_path, user={"token": "from-field", "tokenFile": "token"}))

    assert read.authorization() == "Bearer from-file"


def test_on_whose_behalf_one_acts_is_sent_with_each_request(tmp_path, recorder):
    user = {
        "token": "secret",
        "as": "system:serviceaccount:a:b",
        "as-uid": "u1",
        "as-groups": ["g1", "g2"],
        "as-user-extra": {"example.com/reason": ["one", "two"]},
    }
    connection = config.from_kubeconfig(
        written(tmp_path, cluster={"server": f"http://127.0.0.1:{recorder.server_port}"}, user=user)
    )

    client = KubeClient(connection)
    client.get(NODES, "node-a")
    client.close()

    (headers,) = recorder.seen
    assert [f"{k}: {v}" for k, v in headers if k.startswith(("Authorization", "Impersonate"))] == [
        "Authorization: Bearer secret",
        "Impersonate-User: system:serviceaccount:a:b",
        "Impersonate-Uid: u1",
        "Impersonate-Group: g1",
        "Impersonate-Group: g2",
        "Impersonate-Extra-example.com%2Freason: one",
        "Impersonate-Extra-example.com%2Freason: two",
    ]


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers with an empty object, and keeps the headers that came in."""

    server: "Recording"

    def do_GET(self):
        self.server.seen.append(self.headers.items())
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


class Recording(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Recorder)
        self.seen = []


@contextlib.contextmanager
def serving(context=None):
    with Recording() as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def recorder():
    with serving() as server:
        yield server


@pytest.fixture
def guarded(tmp_path):
    """A server that lets in who has a certificate of the authority."""
    for name, content in zip(("s.crt", "s.key"), AUTHORITY.issue("server"), strict=True):
        (tmp_path / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=AUTHORITY.certificate.decode())
    context.load_cert_chain(tmp_path / "s.crt", tmp_path / "s.key")
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(context) as server:
        yield f"https://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("suffix", ["", "-data"])
def test_certificates_of_files_and_of_the_kubeconfig_open_a_guarded_server(tmp_path, guarded, suffix):
    written(tmp_path)
    names = {
        "client-certificate": "client.crt",
        "client-key": "client.key",
        "certificate-authority": "ca.crt",
    }
    given = {
        f"{field}{suffix}": encoded(tmp_path / name) if suffix else name for field, name in names.items()
    }
    authority = f"certificate-authority{suffix}"
    cluster = {"server": guarded, authority: given.pop(authority)}

    client = KubeClient(config.from_kubeconfig(written(tmp_path, cluster=cluster, user=given)))

    assert client.get(NODES, "node-a") == {}
    client.close()


def test_a_file_that_vanishes_later_is_named_by_the_request(tmp_path, guarded):
    cluster = {"server": guarded, "certificate-authority": "ca.crt"}
    client = KubeClient(config.from_kubeconfig(written(tmp_path, cluster=cluster)))
    (tmp_path / "ca.crt").unlink()

    with pytest.raises(UnreachableError, match=f"the CA file {tmp_path}/ca.crt cannot be read: No such file"):
        client.get(NODES, "node-a")
    client.close()


def test_a_proxy_gets_the_credentials_of_its_url_and_errors_do_not(tmp_path):
    read = config.from_kubeconfig(
        written(tmp_path, cluster={"proxy-url": "http://me:s%40cret@192.0.2.9:3128"})
    )

    assert read.proxy == "http://192.0.2.9:3128"
    assert read.proxy_authorization == "Basic " + base64.b64encode(b"me:s@cret").decode()


SECRET = "S3CRET-that-nobody-may-see"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"user": {"auth-provider": {"name": "oidc"}}}, 'users["me"] has the field "auth-provider"'),
        ({"user": {"token": SECRET, "password-file": "x"}}, 'has the field "password-file"'),
        ({"user": {"token": SECRET, "AS": "x"}}, 'has the field "AS"'),
        ({"cluster": {"insecure-skip-tls-verfy": True}}, 'has the field "insecure-skip-tls-verfy"'),
        ({"context": {"usr": "me"}}, 'has the field "usr"'),
        ({"user": {"token": 7}}, 'users["me"].token is not a text'),
        ({"user": {"token": SECRET + "\n" + SECRET}}, 'users["me"].token is no bearer token'),
        ({"user": {"token": SECRET + "\u20ac"}}, 'users["me"].token is no bearer token'),
        ({"user": {"token": " \n"}}, 'users["me"].token is empty'),
        ({"user": {"token": SECRET, "username": "x"}}, 'users["me"].username stands beside a token'),
        ({"user": {"token": SECRET, "password": SECRET}}, 'users["me"].password stands beside a token'),
        ({"user": {"password": SECRET}}, 'users["me"].username is missing beside password'),
        ({"user": {"tokenFile": "a\0b"}}, 'users["me"].tokenFile has a character that no text has'),
        ({"user": {"client-key": "\ud800"}}, 'users["me"].client-key has a character that no text has'),
        ({"user": {"username": f"{SECRET}\ud800"}}, 'users["me"].username has a character'),
        ({"user": {"token": SECRET, "as": "a", "as-user-extra": {"a\ud800": ["x"]}}}, "as-user-extra has a"),
        ({"user": {"token": SECRET, "as": "a", "as-user-extra": {1: ["x"]}}}, "has a name that is no text"),
        ({"user": {"tokenFile": "absent"}}, "absent) cannot be read: No such file"),
        ({"user": {"token": SECRET, "as-groups": ["a"]}}, "as-groups stands there without as"),
        ({"user": {"token": SECRET, "as": "a\nb"}}, 'users["me"].as has a line feed'),
        ({"user": {"token": SECRET, "as-groups": "g"}}, "as-groups is not a list"),
        ({"cluster": {"server": "https://192.0.2.2:6443 "}}, 'clusters["ours"].server has a blank'),
        ({"cluster": {"server": "192.0.2.2:6443"}}, "server does not begin with http"),
        ({"cluster": {"server": f"https://me:{SECRET}@192.0.2.2"}}, "server has a user in it"),
        ({"cluster": {"server": "https://192.0.2.2:port"}}, "server has no valid host and port"),
        ({"cluster": {"server": ""}}, "server is not set"),
        ({"cluster": {"proxy-url": f"socks5://me:{SECRET}@192.0.2.9"}}, "proxy-url does not begin with http"),
        ({"cluster": {"insecure-skip-tls-verify": "true"}}, "insecure-skip-tls-verify is not true or false"),
        (
            {"cluster": {"insecure-skip-tls-verify": True, "certificate-authority": "ca.crt"}},
            "insecure-skip-tls-verify is true beside a certificate authority",
        ),
        ({"cluster": {"certificate-authority": "absent"}}, "absent cannot be read: No such file"),
        ({"cluster": {"certificate-authority": "config"}}, "config holds no certificate in PEM"),
        ({"cluster": {"certificate-authority-data": "!"}}, "certificate-authority-data is no base64"),
        ({"user": {"client-certificate": "client.crt"}}, "client-key is missing"),
        ({"user": {"client-certificate": "client.crt", "client-key": "absent"}}, "client key"),
        ({"user": {"client-certificate": "ca.crt", "client-key": "client.key"}}, "do not belong together"),
        ({"user": {"client-certificate": "client.crt", "client-key": "locked.key"}}, "is encrypted"),
        ({"context": {"cluster": "nowhere"}}, 'clusters has no entry with the name "nowhere"'),
        ({"context": {"user": "nobody"}}, 'users has no entry with the name "nobody"'),
        ({"context": {"cluster": "twice"}}, 'clusters has more than one entry with the name "twice"'),
        ({"current": ""}, "current-context is not set"),
        ({"current": "away"}, 'contexts has no entry with the name "away"'),
        ({"user": {"exec": {"command": "tke-token"}}}, "exec.apiVersion is not set"),
        (
            {"user": {"exec": {"command": "x", "apiVersion": "client.authentication.k8s.io/v1alpha1"}}},
            "exec.apiVersion is",
        ),
        (
            {"user": {"exec": {**EXEC, "command": "/no/such"}}},
            'exec.command is "/no/such", and there is no such',
        ),
        ({"user": {"exec": {**EXEC, "interactiveMode": "Always"}}}, "interactiveMode is Always"),
        ({"user": {"exec": {**EXEC, "comand": "x"}}}, 'exec has the field "comand"'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named_on_one_line_and_no_credential_is_shown(tmp_path, fields, named):
    path = written(tmp_path, **fields)

    with pytest.raises(InvalidInputError) as raised:
        config.from_kubeconfig(path)

    message = str(raised.value)
    assert message.startswith(f"kubeconfig {path}: ")
    assert named in message
    assert "\n" not in message
    assert raised.value.advice
    assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("content", [f"users: [{{token: '{SECRET}]", f"token: *{SECRET}", f"{SECRET}: [\x07"])
def test_text_that_is_no_yaml_is_told_by_its_place(tmp_path, content):
    path = tmp_path / "config"
    path.write_text(content)

    with pytest.raises(InvalidInputError, match="is no YAML") as raised:
        config.from_kubeconfig(str(path))

    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_few_lines_that_merge_each_other_fill_no_memory(tmp_path):
    path = tmp_path / "config"
    lines = ["m0: &m0 {x: 1}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    path.write_text("\n".join(lines))

    with pytest.raises(InvalidInputError, match="is no YAML"):
        config.from_kubeconfig(str(path))


def test_the_home_of_nobody_is_named():
    with pytest.raises(InvalidInputError, match="home of a user who is not known"):
        config.from_kubeconfig("~no-such-user-here/config")


def test_a_password_wins_over_a_plug_in_as_with_client_go(tmp_path):
    user = {"username": "admin", "password": "x", "exec": EXEC}

    connection = config.from_kubeconfig(written(tmp_path, user=user))

    assert connection.authorization() == "Basic YWRtaW46eA=="


def test_a_plug_in_is_told_the_ca_that_stands_in_a_file(tmp_path):
    seen = tmp_path / "seen"
    script = f'printf %s "$KUBERNETES_EXEC_INFO" > {seen}'
    plugin = {**EXEC, "command": "sh", "args": ["-c", script], "provideClusterInfo": True}
    path = written(tmp_path, cluster={"certificate-authority": "ca.crt"}, user={"exec": plugin})

    with pytest.raises(ForbiddenError, match="printed no JSON"):
        config.from_kubeconfig(path).authorization()

    told = json.loads(seen.read_text())["spec"]["cluster"]
    assert base64.b64decode(told["certificate-authority-data"]) == AUTHORITY.certificate


def test_named_context_wins_over_the_current_one(tmp_path):
    assert config.from_kubeconfig(written(tmp_path), "there").server == "http://192.0.2.1"


@pytest.mark.parametrize("content", ["", "[]", "{", "a: &a [*a]", "clusters: 7", "contexts: [1, {name: x}]"])
def test_nonsense_is_named(tmp_path, content):
    path = tmp_path / "config"
    path.write_text(content)

    with pytest.raises(InvalidInputError, match=str(path)):
        config.from_kubeconfig(str(path))


def test_a_kubeconfig_is_read_without_the_kubernetes_package(tmp_path):
    code = f"import sys; from ipamd.kube import config; config.load({written(tmp_path)!r}, {{}}); "
    code += "print('kubernetes' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert printed.strip() == "False"
