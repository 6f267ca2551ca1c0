"""`eip-selector`: EIPs by tag, name and public IP, and what is said of a wrong one."""

import json

import pytest

from ipamd.core.annotations import eip_selector
from ipamd.core.annotations.eip import DeletePolicy, EipRequest, request_of
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.claim import spec
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES, EIP_ID_LIST, EIP_POOL, EIP_SELECTOR
from tests.testkit.pods import pod_view

BY_TAG = EipSelector(tags=(("env", "prod"), ("team", "web")))
BY_NAME = EipSelector(names=("web-a", "web-b"))
BY_IP = EipSelector(public_ips=("198.51.100.7",))


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ('{"tags": {"team": "web", "env": "prod"}}', BY_TAG),
        ('{"names": ["web-a", "web-b"]}', BY_NAME),
        ('{"publicIPs": ["198.51.100.7"]}', BY_IP),
    ],
)
def test_each_form_is_read_and_written(text, selector):
    assert eip_selector.parse(text) == selector
    assert eip_selector.read(eip_selector.write(selector)) == selector


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("team=web", "is not JSON"),
        ('["web"]', "is no JSON object"),
        ("{}", "it has no field; allowed is one of tags, names, publicIPs"),
        ('{"tags": {"a": "b"}, "names": ["c"]}', "it has tags and names; allowed is one of"),
        ('{"tag": {"a": "b"}}', 'field "tag" is not known; allowed is one of tags, names, publicIPs'),
        ('{"tags": {}}', "tags is {}; allowed is an object with 1 to 6 tags"),
        ('{"tags": {"a": 1}}', 'tags has "a": 1; allowed are keys and values of 1 to 128 characters'),
        ('{"tags": {"a": ""}}', 'tags has "a": ""; allowed are keys'),
        (json.dumps({"tags": {f"k{n}": "v" for n in range(7)}}), "allowed is an object with 1 to 6 tags"),
        ('{"names": "web"}', 'names is "web"; allowed is a list with 1 to 20 entries'),
        ('{"names": ["web", "web"]}', 'names has "web" twice'),
        ('{"names": [" web"]}', 'entry 1 of names is " web"; allowed is a name'),
        ('{"names": ["web "]}', 'entry 1 of names is "web "; allowed is a name'),
        ('{"names": ["web", ""]}', 'entry 2 of names is ""; allowed is a name'),
        (json.dumps({"names": ["x" * 129]}), "allowed is a name of 1 to 128 characters"),
        (json.dumps({"names": [f"n{n}" for n in range(21)]}), "allowed is a list with 1 to 20 entries"),
        ('{"publicIPs": ["198.51.100.7", "eip-1a2b3c4d"]}', 'entry 2 of publicIPs is "eip-1a2b3c4d"'),
        ('{"publicIPs": ["198.51.100.007"]}', "allowed is an IPv4 address"),
        ('{"publicIPs": ["198.51.100.7/32"]}', "allowed is an IPv4 address"),
        ("[" * 5000, "is not JSON"),
        (json.dumps({"names": ["x" * 9000]}), "characters; allowed are 8192"),
    ],
)
def test_a_wrong_one_is_refused_with_field_value_and_what_is_allowed(text, said):
    with pytest.raises(InvalidInputError) as refused:
        eip_selector.parse(text)
    assert said in refused.value.message


@pytest.mark.parametrize("word", ["w", "x" * 128])
def test_the_shortest_and_the_longest_word_are_names_keys_and_values(word):
    assert eip_selector.read({"names": [word]}).names == (word,)
    assert eip_selector.read({"tags": {word: word}}).tags == ((word, word),)


def test_a_hundred_public_ips_are_a_list_and_one_more_is_not():
    ips = [f"198.51.100.{number}" for number in range(101)]
    assert len(eip_selector.read({"publicIPs": ips[:100]}).public_ips) == 100
    with pytest.raises(InvalidInputError, match="1 to 100 entries"):
        eip_selector.read({"publicIPs": ips})


def request(**annotations):
    names = {"id_list": EIP_ID_LIST, "selector": EIP_SELECTOR, "pool": EIP_POOL, "attributes": EIP_ATTRIBUTES}
    return request_of(pod_view(annotations={names[key]: value for key, value in annotations.items()}))


def test_the_annotations_become_requests_and_claims_and_requests_again():
    by_name = EipRequest(selector=BY_NAME, delete_policy=DeletePolicy.DELETE)
    of_pool = EipRequest(pool="web", delete_policy=DeletePolicy.DELETE)

    assert request(selector='{"names": ["web-a", "web-b"]}', attributes="") == by_name
    assert request(pool=" web\n") == of_pool
    assert spec.write(by_name) == {"selector": {"names": ["web-a", "web-b"]}, "deletePolicy": "Delete"}
    assert spec.write(of_pool) == {"pool": "web", "deletePolicy": "Delete"}
    assert spec.read(spec.write(by_name)) == by_name
    assert spec.read(spec.write(of_pool)) == of_pool


@pytest.mark.parametrize("name", ["", "Web", "-web", "web_1", "web/1", "w" * 254])
def test_a_name_that_no_pool_can_have_is_refused(name):
    with pytest.raises(InvalidInputError, match=r"eip-pool of Pod .* allowed is the name of an EIPPool"):
        request(pool=name)
    with pytest.raises(InvalidInputError, match=r"spec\.pool: it is .*; allowed is"):
        spec.read({"pool": name})


def test_two_annotations_that_name_eips_are_refused():
    with pytest.raises(
        InvalidInputError, match=r"eip-id-list and tke\.cloud\.tencent\.com/eip-pool; allowed is one"
    ):
        request(pool="web", id_list="eip-1a2b3c4d")


def test_a_spec_with_two_sources_is_refused():
    with pytest.raises(InvalidInputError, match="spec has selector and pool; allowed is one of them"):
        spec.read({"pool": "web", "selector": {"names": ["a"]}})


def test_a_wrong_selector_of_a_claim_is_named():
    with pytest.raises(InvalidInputError, match=r"spec\.selector: field \"name\" is not known"):
        spec.read({"selector": {"name": "a"}})
