import json

import pytest

from ipamd.core.cni import netconf, requests
from ipamd.core.cni.errors import SUPPORTED_VERSIONS, CniError, Code
from ipamd.core.model import PodRef, SandboxKey

CONTAINER = "3f6940ab5ab43bc522569d15b23f8c1bbde1d7678b080398506924fc01d72755"
ARGS = (
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;"
    f"K8S_POD_INFRA_CONTAINER_ID={CONTAINER};K8S_POD_UID=5a6c2a55-0c5c-4f8a-9d5c-2f6d6f1e0b1a"
)
PARSERS = {
    "ADD": requests.parse_add,
    "DEL": requests.parse_del,
    "CHECK": requests.parse_check,
    "GC": requests.parse_gc,
    "STATUS": requests.parse_status,
}


def environment(verb="ADD", **changes):
    variables = {
        "PATH": "/bin",
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": CONTAINER,
        "CNI_NETNS": "/var/run/netns/cni-1",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": ARGS,
        "CNI_PATH": "/opt/cni/bin",
    } | changes
    return [f"{name}={value}".encode() for name, value in variables.items() if value is not None]


def stdin(**changes):
    conf = {"cniVersion": "1.1.0", "name": "tke-eni", "type": "tke-route-eni"} | changes
    return json.dumps({name: value for name, value in conf.items() if value is not ...}).encode()


def refused(parse, variables, conf) -> CniError:
    with pytest.raises(CniError) as caught:
        parse(variables, conf)
    error = json.loads(caught.value.encoded())
    assert error["code"] == caught.value.code
    assert error["msg"]
    assert error["details"], "an operator has to be told what to do"
    return caught.value


@pytest.mark.parametrize("version", SUPPORTED_VERSIONS)
def test_add_is_understood_in_every_version(version):
    request = requests.parse_add(environment(), stdin(cniVersion=version))

    assert request.conf.version == version
    assert request.key == SandboxKey(container_id=CONTAINER, ifname="eth0")
    assert request.netns == "/var/run/netns/cni-1"
    assert request.pod == PodRef(
        namespace="default", name="web-0", uid="5a6c2a55-0c5c-4f8a-9d5c-2f6d6f1e0b1a"
    )
    assert request.infra_container_id == CONTAINER


def test_settings_of_our_own_stay_readable():
    assert requests.parse_add(environment(), stdin(logLevel="debug")).conf.settings["logLevel"] == "debug"


def test_a_runtime_that_gives_no_uid_is_served():
    request = requests.parse_add(environment(CNI_ARGS="K8S_POD_NAMESPACE=a;K8S_POD_NAME=b"), stdin())

    assert request.pod == PodRef(namespace="a", name="b", uid="")
    assert request.infra_container_id == ""


@pytest.mark.parametrize(
    ("conf", "code"),
    [
        (b"", Code.DECODING_FAILURE),
        (b"{", Code.DECODING_FAILURE),
        (b"[]", Code.DECODING_FAILURE),
        (b"null", Code.DECODING_FAILURE),
        (b"\xff\xfe", Code.DECODING_FAILURE),
        (b'{"cniVersion": NaN}', Code.DECODING_FAILURE),
        (b"[" * 200_000, Code.DECODING_FAILURE),
        (b'{"a": ' * 100_000, Code.DECODING_FAILURE),
        (b'{"a": 1' + b"0" * 10_000 + b"}", Code.DECODING_FAILURE),
        (b" " * (netconf.MAX_BYTES + 1), Code.DECODING_FAILURE),
        (stdin(cniVersion=...), Code.INCOMPATIBLE_VERSION),
        (stdin(cniVersion="0.2.0"), Code.INCOMPATIBLE_VERSION),
        (stdin(cniVersion="9.9.9"), Code.INCOMPATIBLE_VERSION),
        (stdin(cniVersion=1.1), Code.INCOMPATIBLE_VERSION),
        (stdin(cniVersion=["1.1.0"]), Code.INCOMPATIBLE_VERSION),
        (stdin(name=...), Code.INVALID_CONFIG),
        (stdin(name=""), Code.INVALID_CONFIG),
        (stdin(name=7), Code.INVALID_CONFIG),
        (stdin(name="../../etc"), Code.INVALID_CONFIG),
        (stdin(name="a" * 256), Code.INVALID_CONFIG),
        (stdin(name="net\n"), Code.INVALID_CONFIG),
    ],
)
@pytest.mark.parametrize("verb", PARSERS)
def test_a_wrong_configuration_gets_the_code_of_the_specification(verb, conf, code):
    assert refused(PARSERS[verb], environment(verb), conf).code is code


@pytest.mark.parametrize(
    "changes",
    [
        {"CNI_CONTAINERID": None},
        {"CNI_CONTAINERID": ""},
        {"CNI_CONTAINERID": "a/b"},
        {"CNI_CONTAINERID": "a" * 256},
        {"CNI_CONTAINERID": "-rf"},
        {"CNI_IFNAME": None},
        {"CNI_IFNAME": ".."},
        {"CNI_IFNAME": "eth0:1"},
        {"CNI_IFNAME": "eth 0"},
        {"CNI_IFNAME": "../eth0"},
        {"CNI_IFNAME": "eth0\n"},
        {"CNI_IFNAME": "ééééééééé"},
        {"CNI_IFNAME": "sixteen-letters-"},
        {"CNI_NETNS": None},
        {"CNI_NETNS": ""},
        {"CNI_NETNS": "var/run/netns/x"},
        {"CNI_NETNS": "/a\0b"},
        {"CNI_NETNS": "/" * 4096},
        {"CNI_ARGS": None},
        {"CNI_ARGS": "K8S_POD_NAMESPACE=default"},
        {"CNI_ARGS": "K8S_POD_NAME=web-0"},
        {"CNI_ARGS": "K8S_POD_NAMESPACE"},
        {"CNI_ARGS": "K8S_POD_NAMESPACE=a.b;K8S_POD_NAME=web-0"},
        {"CNI_ARGS": "K8S_POD_NAMESPACE=default;K8S_POD_NAME=../web"},
        {"CNI_ARGS": f"K8S_POD_NAMESPACE=default;K8S_POD_NAME={'w' * 254}"},
        {"CNI_ARGS": "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=a b"},
        {"CNI_ARGS": "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=/"},
        {"CNI_COMMAND": "DEL"},
    ],
)
def test_a_wrong_environment_names_the_variable_and_what_is_allowed(changes):
    error = refused(requests.parse_add, environment(**changes), stdin())

    assert error.code is Code.INVALID_ENVIRONMENT
    assert next(iter(changes)) in error.message
    assert len(str(error)) < 400


@pytest.mark.parametrize("name", ["a", "fifteen-letters", "thirteen-1-éé"])
def test_an_interface_name_may_have_fifteen_bytes(name):
    assert requests.parse_add(environment(CNI_IFNAME=name), stdin()).key.ifname == name


def test_a_path_may_be_as_long_as_the_kernel_takes_one():
    longest = "/" + "n" * 4094

    assert requests.parse_add(environment(CNI_NETNS=longest), stdin()).netns == longest
    error = refused(requests.parse_add, environment(CNI_NETNS=longest + "n"), stdin())
    assert error.code is Code.INVALID_ENVIRONMENT
    assert "at most 4095 characters" in error.advice


def test_a_container_may_have_the_longest_name_that_the_reference_library_takes():
    longest = "a" * netconf.MAX_NAME

    assert requests.parse_add(environment(CNI_CONTAINERID=longest), stdin()).key.container_id == longest


def test_gc_takes_as_many_attachments_as_it_says_and_no_more():
    valid = [{"containerID": f"c{n}", "ifname": "eth0"} for n in range(8193)]

    taken = requests.parse_gc(environment("GC"), stdin(**{"cni.dev/valid-attachments": valid[:8192]}))
    error = refused(requests.parse_gc, environment("GC"), stdin(**{"cni.dev/valid-attachments": valid}))

    assert len(taken.valid) == 8192
    assert "at most 8192 attachments" in error.message


def test_a_value_that_is_not_utf8_is_refused_by_name():
    error = refused(requests.parse_add, [b"CNI_NETNS=/\xff", *environment(CNI_NETNS=None)], stdin())

    assert error.code is Code.INVALID_ENVIRONMENT
    assert "CNI_NETNS" in error.message


def test_of_two_variables_with_one_name_the_first_counts():
    request = requests.parse_add([b"CNI_IFNAME=net1", *environment()], stdin())

    assert request.key.ifname == "net1"


def test_errors_come_in_the_version_that_the_configuration_asks_for():
    error = refused(requests.parse_add, environment(CNI_NETNS=None), stdin(cniVersion="0.3.1"))

    assert json.loads(error.encoded())["cniVersion"] == "0.3.1"


def test_who_asks_for_no_version_that_is_understood_is_told_in_the_newest():
    error = refused(requests.parse_add, environment(), b"{")

    assert json.loads(error.encoded())["cniVersion"] == SUPPORTED_VERSIONS[-1] == "1.1.0"


@pytest.mark.parametrize("arguments", [None, "", "garbage", "K8S_POD_NAME=../x;K8S_POD_NAMESPACE=y"])
@pytest.mark.parametrize("netns", [None, "", "no-path"])
def test_del_needs_neither_namespace_nor_pod(arguments, netns):
    request = requests.parse_del(environment("DEL", CNI_ARGS=arguments, CNI_NETNS=netns), stdin())

    assert request.key == SandboxKey(container_id=CONTAINER, ifname="eth0")
    assert request.pod is None


def test_check_reads_what_add_had_returned():
    previous = {
        "interfaces": [
            {"name": "eni0", "mac": "0a:e0:0a:00:01:05"},
            {"name": "eth0", "mac": "0a:e1:0a:00:01:05", "sandbox": "/var/run/netns/cni-1"},
        ],
        "ips": [{"address": "10.0.1.5/32", "gateway": "169.254.1.1", "interface": 1}],
    }
    request = requests.parse_check(environment("CHECK"), stdin(prevResult=previous))

    assert request.previous.addresses == ("10.0.1.5",)
    assert [interface.name for interface in request.previous.interfaces] == ["eni0", "eth0"]
    assert request.previous.interfaces[1].sandbox == "/var/run/netns/cni-1"


def test_a_prev_result_may_have_as_many_entries_as_it_says():
    previous = {"ips": [{"address": f"10.0.1.{n}/32"} for n in range(64)]}
    request = requests.parse_check(environment("CHECK"), stdin(prevResult=previous))

    assert len(request.previous.addresses) == 64


def test_check_without_prev_result_is_refused():
    assert refused(requests.parse_check, environment("CHECK"), stdin()).code is Code.INVALID_CONFIG


@pytest.mark.parametrize(
    "previous",
    [
        None,
        [],
        "x",
        {"ips": 5},
        {"ips": [5]},
        {"ips": [{"address": 5}]},
        {"ips": [{"address": "10.0.0.0.1/32"}]},
        {"ips": [{}]},
        {"ips": [{"address": "10.0.0.1/32"}] * 65},
        {"interfaces": [{"name": "x" * 5000}]},
        {"interfaces": {"name": "x"}},
    ],
)
def test_a_broken_prev_result_is_refused(previous):
    error = refused(requests.parse_check, environment("CHECK"), stdin(prevResult=previous))

    assert error.code is Code.DECODING_FAILURE
    assert "prevResult" in error.message


@pytest.mark.parametrize(
    ("verb", "version"), [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("GC", "0.4.0"), ("STATUS", "1.0.0")]
)
def test_a_verb_is_refused_in_versions_that_do_not_have_it(verb, version):
    error = refused(PARSERS[verb], environment(verb), stdin(cniVersion=version))

    assert error.code is Code.INCOMPATIBLE_VERSION
    assert error.version == version


def test_gc_reads_the_attachments_that_stay():
    valid = [{"containerID": "a", "ifname": "eth0"}, {"containerID": "b", "ifname": "net1"}]
    request = requests.parse_gc(environment("GC"), stdin(**{"cni.dev/valid-attachments": valid}))

    assert request.valid == {
        SandboxKey(container_id="a", ifname="eth0"),
        SandboxKey(container_id="b", ifname="net1"),
    }


def test_gc_of_a_node_without_sandboxes_comes_as_null_from_go():
    assert (
        requests.parse_gc(environment("GC"), stdin(**{"cni.dev/valid-attachments": None})).valid
        == frozenset()
    )


@pytest.mark.parametrize(
    "valid", [..., {}, "all", [{}], [{"containerID": "a"}], [{"ifname": "b"}], ["a"], [{}] * 8193]
)
def test_gc_frees_nothing_when_its_list_is_missing_or_unclear(valid):
    error = refused(requests.parse_gc, environment("GC"), stdin(**{"cni.dev/valid-attachments": valid}))

    assert error.code is Code.INVALID_CONFIG
    assert "nothing was freed" in error.advice


def test_status_needs_no_sandbox():
    request = requests.parse_status([b"CNI_COMMAND=STATUS", b"CNI_PATH=/opt/cni/bin"], stdin())

    assert request.conf.name == "tke-eni"
