"""ip-masq-agent's configuration as text: what is not changed is written as it was read."""

import json

import pytest

from ipamd.controller.masquerade.text import ConfigText
from ipamd.core.eip import masquerade
from ipamd.core.errors import InvalidInputError

OF_TKE = (
    '{"NonMasqueradeCIDRs":["172.16.0.0/16","10.67.0.0/16"],"NonMasqueradeSrcCIDRs":["172.16.0.2/32"],'
    '"MasqLinkLocal":true,"ResyncInterval":"1m0s","MasqLinkLocalIPv6":false}'
)
YAML = """\
# kept by the network team
nonMasqueradeCIDRs:
- 172.16.0.0/16  # the VPC
nonMasqueradeSrcCIDRs:
- "10.9.9.9/32"  # the old gateway
- 10.0.1.4/32
resyncInterval: 60s
"""


def revised(text, *entries):
    config = ConfigText(text)
    masquerade.set_entries(config.fields, masquerade.field_of(config.fields), entries)
    return config.write()


@pytest.mark.parametrize("text", [OF_TKE, json.dumps(json.loads(OF_TKE), indent=4) + "\n", YAML])
def test_a_text_that_is_not_changed_is_written_as_it_was(text):
    assert ConfigText(text).write() == text


def test_the_sample_of_tke_changes_in_the_one_field():
    assert revised(OF_TKE, "172.16.0.2/32", "172.16.0.3/32") == OF_TKE.replace(
        '"172.16.0.2/32"', '"172.16.0.2/32","172.16.0.3/32"'
    )


def test_yaml_keeps_comments_and_quotes():
    assert revised(YAML, "10.9.9.9/32", "10.0.1.5/32") == YAML.replace("- 10.0.1.4/32", "- 10.0.1.5/32")


def test_a_field_that_is_not_there_is_added_in_the_style_of_the_others():
    assert revised("masqLinkLocal: false\n", "10.0.1.4/32") == (
        "masqLinkLocal: false\nnonMasqueradeSrcCIDRs:\n- 10.0.1.4/32\n"
    )
    assert revised("{}", "10.0.1.4/32") == '{"NonMasqueradeSrcCIDRs":["10.0.1.4/32"]}'
    assert revised("", "10.0.1.4/32") == "NonMasqueradeSrcCIDRs:\n- 10.0.1.4/32\n"


def test_the_last_entry_leaves_an_empty_list():
    assert json.loads(revised(OF_TKE))["NonMasqueradeSrcCIDRs"] == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"a": 1, "a": 2}', "a stands there more than once"),
        ("a: 1\na: 2\n", "duplicate key"),
        ('{"NonMasqueradeCIDRs": [', "line"),
        ("a: [1\nb: 2\n", "line"),
        ("just a sentence", "not an object of fields"),
        ("[1, 2]", "not an object of fields"),
        ("a: 1\n---\nb: 2\n", "document"),
        ("\tb", "line 1"),
        ("[" * 100000, "neither JSON nor YAML"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason_and_the_place(text, named):
    with pytest.raises(InvalidInputError, match="ConfigMap kube-system/ip-masq-agent-config: config") as e:
        ConfigText(text)

    assert named in str(e.value)
    assert "correct it" in str(e.value)
