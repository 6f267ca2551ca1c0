"""What the runtime's network configuration has to be, whatever is found in the file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.cni import conflist, netconf
from ipamd.core.cni.conflist import BANDWIDTH, PORT_MAPPING, SHIPPED
from ipamd.core.cni.errors import SUPPORTED_VERSIONS

OURS = {"type": "tke-route-eni"}
NEW = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
OLD = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0")
NODE = {PORT_MAPPING: NEW, BANDWIDTH: NEW}


def keep(network=None, *, chosen=(PORT_MAPPING,), binaries=NODE):
    content = network if isinstance(network, bytes | None) else json.dumps(network).encode()
    return conflist.keep(content, chosen=chosen, binaries=binaries)


def plugins(kept):
    return [plugin["type"] for plugin in kept.network["plugins"]]


def file(*chained, **changes):
    return {**keep(chosen=()).network, "plugins": [OURS, *chained], **changes}


def test_a_new_file_chains_portmap_with_what_a_runtime_needs_to_see():
    kept = keep()

    assert kept.network["plugins"] == [
        OURS,
        {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
    ]
    assert (kept.network["cniVersion"], kept.network["cniVersions"]) == ("1.0.0", list(SUPPORTED_VERSIONS))
    assert (kept.changes, kept.problems) == ((), ())


def test_flags_choose_what_is_chained():
    assert plugins(keep(chosen=())) == ["tke-route-eni"]
    assert plugins(keep(chosen=(PORT_MAPPING, BANDWIDTH))) == ["tke-route-eni", "portmap", "bandwidth"]


def test_what_it_makes_it_leaves_as_it_is():
    for chosen in ((), (PORT_MAPPING,), (BANDWIDTH,), (PORT_MAPPING, BANDWIDTH)):
        first = keep(chosen=chosen)
        again = keep(first.encoded(), chosen=chosen)
        assert (again.network, again.changes) == (first.network, ())


def test_plugins_of_an_operator_stay_where_they_are_with_their_options():
    tuning = {"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}
    other = {"type": "istio-cni", "log_level": "debug"}
    kept = keep(file(tuning, other), binaries={**NODE, "tuning": NEW, "istio-cni": NEW})

    assert kept.network["plugins"] == [OURS, tuning, other, SHIPPED[PORT_MAPPING]]
    assert kept.changes == (
        (
            'plugins were "tke-route-eni", "tuning", "istio-cni" '
            'and are "tke-route-eni", "tuning", "istio-cni", "portmap"'
        ),
    )


def test_options_of_a_chained_plugin_and_keys_of_the_list_stay():
    portmap = {
        "type": "portmap",
        "capabilities": {"portMappings": True},
        "externalSetMarkChain": "KUBE-MARK-MASQ",
    }
    kept = keep(file(portmap, disableGC=True))

    assert kept.network["plugins"] == [OURS, portmap]
    assert kept.network["disableGC"] is True
    assert kept.changes == ()


def test_a_chained_plugin_that_would_never_hear_of_host_ports_gets_the_capability():
    kept = keep(file({"type": "portmap", "snat": False}))

    assert kept.network["plugins"][1] == {
        "type": "portmap",
        "snat": False,
        "capabilities": {"portMappings": True},
    }
    assert len(kept.changes) == 1


def test_our_plugin_comes_back_and_comes_first_and_once():
    assert plugins(keep(file() | {"plugins": []})) == ["tke-route-eni", "portmap"]
    out_of_order = file() | {"plugins": [{"type": "tuning"}, OURS, OURS]}
    assert plugins(keep(out_of_order, binaries={**NODE, "tuning": NEW})) == [
        "tke-route-eni",
        "tuning",
        "portmap",
    ]


def test_the_name_that_sandboxes_are_known_by_comes_back():
    kept = keep(file(SHIPPED[PORT_MAPPING], name="mine"))

    assert kept.network["name"] == "tke-eni"
    assert kept.changes == ('name was "mine" and is "tke-eni"',)


def test_a_flag_taken_back_takes_away_what_we_had_written_and_not_an_operator_s():
    assert plugins(keep(file(SHIPPED[PORT_MAPPING]), chosen=())) == ["tke-route-eni"]
    own = {**SHIPPED[PORT_MAPPING], "snat": False}
    assert plugins(keep(file(own), chosen=())) == ["tke-route-eni", "portmap"]


def test_a_chain_names_no_plugin_of_ours_that_the_node_has_not():
    kept = keep(file(SHIPPED[PORT_MAPPING]), binaries={})

    assert plugins(kept) == ["tke-route-eni"]
    assert kept.problems == ()
    assert kept.lacking == ("the plugin portmap is not there, so that hostPort of Pods does nothing",)


def test_an_operator_s_plugin_that_the_node_has_not_is_said():
    kept = keep(file({"type": "tuning"}))

    assert plugins(kept) == ["tke-route-eni", "tuning", "portmap"]
    assert kept.problems == ('it names the plugin "tuning", which is not there, so that no Pod can start',)


@pytest.mark.parametrize(
    ("spoken", "single", "offered"),
    [
        (NEW, "1.0.0", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]),
        (OLD, "1.0.0", ["0.3.1", "0.4.0", "1.0.0"]),
        (("0.3.0", "0.3.1", "0.4.0"), "0.4.0", ["0.3.1", "0.4.0"]),
        (None, "1.0.0", ["0.3.1", "0.4.0", "1.0.0"]),
        (("1.1.0",), "1.1.0", ["1.1.0"]),
    ],
    ids=["1.6", "1.1", "0.9", "says nothing", "future"],
)
def test_only_versions_that_the_whole_chain_speaks_are_offered(spoken, single, offered):
    kept = keep(binaries={PORT_MAPPING: spoken})

    assert (kept.network["cniVersion"], kept.network["cniVersions"]) == (single, offered)


def test_plugins_without_a_common_version_are_said():
    kept = keep(file({"type": "tuning"}), binaries={PORT_MAPPING: ("1.1.0",), "tuning": ("0.4.0",)})

    assert kept.problems == ("its plugins have no version of CNI in common, so that no Pod can start",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff",
        b'{"plugins": {}}',
        b'{"plugins": ["portmap"]}',
        b'{"plugins": [{}]}',
        b"[" * 9999,
        b'\xef\xbb\xbf{"plugins": []}',
        '{"plugins": []}'.encode("utf-16"),
        b'{"plugins": [], "mtu": NaN}',
    ],
)
def test_what_is_no_list_of_plugins_is_replaced_and_known_as_damaged(content):
    assert conflist.is_damaged(content)
    assert keep(content).network == keep().network


def test_the_agent_understands_what_a_runtime_hands_on_of_it():
    network = keep().network
    handed = {**network["plugins"][0], "name": network["name"], "cniVersion": network["cniVersion"]}

    assert netconf.parse(json.dumps(handed).encode()).name == "tke-eni"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
_entries = st.fixed_dictionaries(
    {"type": st.sampled_from(["tke-route-eni", "portmap", "bandwidth", "tuning"])},
    optional={"capabilities": _json, "snat": _json, "other": _json},
)
_files = st.fixed_dictionaries(
    {},
    optional={"plugins": st.lists(_entries, max_size=4), "name": _json, "cniVersion": _json, "more": _json},
)


@given(_files | _json, st.sets(st.sampled_from([PORT_MAPPING, BANDWIDTH])), st.booleans())
def test_whatever_is_there_the_outcome_is_settled_and_an_operator_s_entries_are_in_it(
    network, chosen, has_plugins
):
    binaries = {**NODE, "tuning": OLD} if has_plugins else {}
    content = json.dumps(network).encode()
    kept = keep(content, chosen=sorted(chosen), binaries=binaries)

    again = keep(kept.encoded(), chosen=sorted(chosen), binaries=binaries)
    assert (again.network, again.changes) == (kept.network, ())
    assert not conflist.is_damaged(kept.encoded())
    assert plugins(kept).count("tke-route-eni") == 1
    assert plugins(kept)[0] == "tke-route-eni"
    if not conflist.is_damaged(content):
        found = [entry for entry in network.get("plugins", []) if entry["type"] == "tuning"]
        assert [entry for entry in kept.network["plugins"] if entry["type"] == "tuning"] == found


def test_files_that_a_runtime_prefers_are_those_it_reads_with_a_smaller_name():
    names = [
        "00-multus.conf",
        "10-flannel.conflist",
        "10-tke-eni.conflist",
        "99-loopback.conf",
        "05-notes.txt",
        "20.json",
    ]

    assert conflist.before_ours(names, "10-tke-eni.conflist") == ["00-multus.conf", "10-flannel.conflist"]


@pytest.mark.parametrize(
    ("content", "types"),
    [
        (None, set()),
        (b"no JSON", set()),
        (b"{}", set()),
        (json.dumps({"plugins": [OURS]}).encode(), set()),
        (
            json.dumps({"plugins": [OURS, {"type": "portmap"}, {"type": "tuning"}]}).encode(),
            {"portmap", "tuning"},
        ),
    ],
)
def test_the_other_plugins_of_a_file_are_named(content, types):
    assert conflist.plugin_types(content) == types
