"""Pods, claims and nodes as anybody may write them: read without an exception, refused by name."""

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ipamd.core import names
from ipamd.core.annotations import eip, eip_id_list, networks
from ipamd.core.claim import eipclaim, state_machine, status
from ipamd.core.claim.facts import ClaimFacts
from ipamd.core.eip import orphans
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import annotation_names, nodes, pods
from ipamd.core.timing import timestamps
from tests.testkit.pods import pod_view

PREFIX = annotation_names.PREFIX
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
LIKELY = st.sampled_from(
    [
        "",
        "null",
        "{}",
        '{"Bandwidth":"100","ISP":"BGP"}',
        '{"Bandwidth":1e400}',
        "eip-1,eip-1",
        "eip-12345678",
        "../../etc/passwd",
        "tke-route-eni",
        "9" * 400 + "h",
        "1h",
        "Never",
        "\x00",
        "\ud800",
    ]
)
LONG = st.sampled_from(
    [('{"Bandwidth":', "9", "}"), ("", "[", ""), ("eip-12345678", ",eip-12345678", "")]
).map(lambda parts: parts[0] + parts[1] * 5000 + parts[2])
"""Made when they are drawn: hypothesis names a strategy by its values, and a name so large is a warning."""
VALUES = LIKELY | LONG | st.text(max_size=200) | JSON.map(json.dumps)
ANNOTATIONS = st.dictionaries(
    st.sampled_from(
        [
            PREFIX + name
            for name in (
                "eip-attributes",
                "eip-id-list",
                "eip-claim-delete-policy",
                "claim-expired-duration",
                "networks",
            )
        ]
    ),
    VALUES,
    max_size=5,
)
_LONGEST = 2000
"""Characters of a message that ends up in an Event."""


@settings(deadline=None)  # other tests share the CPU
@given(ANNOTATIONS)
def test_annotations_make_a_request_or_an_error_that_can_be_told(annotations):
    view = pod_view(annotations)
    said = ""
    try:
        request = eip.request_of(view)
    except InvalidInputError as e:
        said = str(e)
        assert "web-0" in said
    else:
        assert len(request.address_ids) <= 100 or eip_id_list.check(request.address_ids)
    try:
        networks.check(view, exclusive=False)
    except InvalidInputError as e:
        said += str(e)
    assert len(said) < _LONGEST
    assert said.isprintable()


OBJECTS = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": st.just("x")}, optional={"namespace": st.just("default")})},
    optional={"spec": JSON, "status": JSON},
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "attributes": st.fixed_dictionaries(
            {}, optional={"bandwidthMbps": JSON, "isp": JSON, "chargeType": JSON, "bandwidthPackageID": JSON}
        )
        | JSON,
        "addressIDs": JSON,
        "deletePolicy": JSON,
        "expireAfter": JSON | st.sampled_from(["1h", "0s", "-1h", "9" * 300 + "h"]),
    },
)
STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "pod": st.fixed_dictionaries({}, optional={"uid": JSON, "node": JSON, "lastSeen": JSON}) | JSON,
        "allocation": st.fixed_dictionaries({}, optional={"attempt": JSON, "startedAt": JSON}) | JSON,
        "address": st.fixed_dictionaries({}, optional={"id": JSON, "ip": JSON, "owned": JSON}) | JSON,
        "binding": st.fixed_dictionaries({}, optional={"node": JSON, "eniID": JSON, "privateIP": JSON})
        | JSON,
        "conditions": st.lists(
            st.fixed_dictionaries({"type": JSON}, optional={"status": JSON, "reason": JSON, "message": JSON})
            | JSON,
            max_size=3,
        )
        | JSON,
        "phase": JSON,
    },
)
METADATA = st.fixed_dictionaries(
    {"name": st.just("web-0"), "namespace": st.just("default")},
    optional={
        "uid": st.text(max_size=40),
        "labels": JSON,
        "annotations": JSON,
        "finalizers": st.lists(st.sampled_from([eipclaim.FINALIZER, "x"]), max_size=2),
        "deletionTimestamp": JSON,
        "ownerReferences": JSON,
    },
)
CLAIMS = st.fixed_dictionaries(
    {"metadata": METADATA}, optional={"spec": SPECS | JSON, "status": STATUSES | JSON}
)


@settings(deadline=None)  # other tests share the CPU
@given(CLAIMS, st.booleans())
def test_a_claim_that_anybody_wrote_is_read_and_the_rules_have_an_action_for_it(obj, asks):
    claim = eipclaim.read(obj)
    view = pod_view({PREFIX + "eip-attributes": ""} if asks else {})
    facts = ClaimFacts(cluster_id="cls-1", now=1.7e9, claim=claim, pod=view)

    state_machine.decide(facts)
    status.phase_of(claim)
    orphans.find((), [claim], "cls-1", before={}, age=1.0, now=orphans.SweepTime(wall=0.0, steady=0.0))
    assert claim.address is None or isinstance(claim.address.owned, bool)


@settings(deadline=None)  # other tests share the CPU
@given(JSON.filter(lambda value: isinstance(value, dict)) | OBJECTS)
def test_any_object_is_a_pod_or_node_with_nothing_in_it(obj):
    view = pods.view(obj)
    assert isinstance(view.ref.name, str)
    assert pods.view(pods.trim(obj)) == view
    nodes.view(nodes.trim({"metadata": {"name": "n"}, **{k: v for k, v in obj.items() if k != "metadata"}}))


@given(st.text())
@example("0001-01-01T00:00:00+23:59")
@example("9999-12-31T23:59:59-23:59")
@example("2026-01-01T00:00:00Z" * 100)
def test_any_time_is_seconds_or_none(text):
    seconds = timestamps.from_text(text)
    assert seconds is None or seconds == seconds  # no NaN


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_link_name_is_one_whatever_the_pod_is_called(namespace, name):
    """No path and no option comes of a name: what reaches the kernel is made of hex digits."""
    try:
        veth = names.host_veth_of_pod(namespace, name)
    except UnicodeEncodeError:
        return  # a lone surrogate, which no JSON from an API server has
    assert names.HOST_VETH.fullmatch(veth)
