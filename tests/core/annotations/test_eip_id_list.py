"""`eip-id-list`: what may stand in it, and which entry the name of a Pod asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.annotations import eip_id_list
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import pods
from tests.testkit.pods import pod_view


def test_the_entries_stand_in_their_order():
    assert eip_id_list.parse("eip-1a2b3c4d,eip-00000000") == ("eip-1a2b3c4d", "eip-00000000")
    assert eip_id_list.parse(" eip-1a2b3c4d ,\n eip-00000000 ") == ("eip-1a2b3c4d", "eip-00000000")


def named(name, *, kind="", generate_name=""):
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "web", "uid": "o1", "controller": True}
    metadata = {"generateName": generate_name, "ownerReferences": [owner] if kind else []}
    return pod_view(name=name, metadata=metadata)


@pytest.mark.parametrize("text", ["eip-1a2b3c4d,", ",eip-1a2b3c4d", "eip-1a2b3c4d,,", "eip-1a2b3c4d, \n,"])
def test_an_empty_entry_does_not_count(text):
    assert eip_id_list.parse(text) == ("eip-1a2b3c4d",)


@pytest.mark.parametrize("text", ["", " \n", ",", " , ,"])
def test_a_list_without_an_entry_is_refused(text):
    with pytest.raises(InvalidInputError, match="it is empty"):
        eip_id_list.parse(text)


@pytest.mark.parametrize(
    "entry", ["eip-1", "EIP-1a2b3c4d", "1.2.3.4", "eip_1a2b3c4d", "eip-1a2b3c4d5", "eip-1a2b3c4\uff15"]
)
def test_what_is_no_id_is_named_with_its_place(entry):
    with pytest.raises(InvalidInputError) as raised:
        eip_id_list.parse(f"eip-1a2b3c4d,{entry}")

    assert "entry 2" in str(raised.value)
    assert "8 of a-z and 0-9" in str(raised.value)


def test_an_eip_may_stand_in_the_list_once():
    with pytest.raises(InvalidInputError, match="eip-1a2b3c4d is entry 1 and entry 3"):
        eip_id_list.parse("eip-1a2b3c4d,eip-5e6f7g8h,eip-1a2b3c4d")


def test_a_list_has_an_end():
    ids = [f"eip-{n:08d}" for n in range(101)]

    assert len(eip_id_list.parse(",".join(ids[:100]))) == 100
    with pytest.raises(InvalidInputError, match="101 entries; allowed are 1 to 100"):
        eip_id_list.parse(",".join(ids))
    with pytest.raises(InvalidInputError, match="characters; allowed"):
        eip_id_list.parse("eip-1a2b3c4d," * 10_000)


@given(st.text(max_size=60) | st.lists(st.sampled_from(["eip-1a2b3c4d", "x", ""])).map(",".join))
def test_whatever_is_written_gives_ids_or_a_short_refusal(text):
    try:
        ids = eip_id_list.parse(text)
    except InvalidInputError as e:
        said = str(e)
    else:
        assert len(ids) == len(set(ids))
        assert all(entry.strip() in ids for entry in text.split(",") if entry.strip())
        return
    assert len(said) < 500


@pytest.mark.parametrize(
    ("asking", "number"),
    [
        (named("web-0", kind="StatefulSet", generate_name="web-"), 0),
        (named("web-11", kind="StatefulSet", generate_name="web-"), 11),
        (named("web-22222", kind="StatefulSet", generate_name="web-"), 22222),
        (named("web-3"), 3),
        (named("web-00"), 0),
        (named("7"), 7),
        (named("set-4", kind="GameServerSet"), 4),
        (named("set-4", kind="GameServerSet", generate_name="set-"), 4),
        (named("web"), None),
        (named("web-a1"), None),
        (named("web-1a"), None),
        (named("web2"), None),
        (named("web-7d4b9c6f5-24567", kind="ReplicaSet", generate_name="web-7d4b9c6f5-"), None),
        (named("web-24567", kind="DaemonSet", generate_name="web-"), None),
        (named("web-24567", kind="Job", generate_name="web-"), None),
        (named("web-24567", kind="CloneSet", generate_name="web-"), None),
        (named("web-24567", generate_name="web-"), None),
        (named("web-bcdfg", generate_name="web-"), None),
    ],
    ids=lambda value: value.ref.name if isinstance(value, pods.PodView) else str(value),
)
def test_the_number_at_the_end_of_a_name_counts_unless_it_was_generated(asking, number):
    assert eip_id_list.number_of(asking) == number


def test_a_cache_keeps_what_the_number_depends_on():
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web",
        "uid": "o1",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "o2"}
    metadata = {"namespace": "a", "name": "web-24567", "generateName": "web-", "uid": "u"}
    whole = {"metadata": {**metadata, "ownerReferences": [other, owner]}}

    assert pods.view(pods.trim(whole)) == pods.view(whole)
    assert eip_id_list.number_of(pods.view(pods.trim(whole))) is None
