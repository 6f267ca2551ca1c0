"""ip-masq-agent's configuration as text: what is not changed is written as it was read."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
    return config.with_entries(masquerade.field_of(config.fields), entries)


INDENTED = json.dumps(json.loads(OF_TKE), indent=4) + "\n"
TABS = json.dumps(json.loads(OF_TKE), indent="\t")
FLOWING = "# ours\n{nonMasqueradeSrcCIDRs: ['10.0.1.4/32' , 10.0.1.5/32,],  # both\n resyncInterval: 60s}\n"


@pytest.mark.parametrize(
    "text",
    [
        OF_TKE,
        INDENTED,
        TABS,
        YAML,
        "---\n" + YAML,
        YAML.replace("\n", "\r\n"),
        YAML.replace("- ", "  - "),
        YAML.replace("- ", "    -   "),
        YAML.removesuffix("resyncInterval: 60s\n").removesuffix("\n"),
        FLOWING,
    ],
    ids=["tke", "indented", "tabs", "yaml", "start", "crlf", "two", "far", "no end", "flow"],
)
def test_what_was_added_and_taken_out_again_leaves_the_text_as_it_was(text):
    config = ConfigText(text)
    field = masquerade.field_of(config.fields)
    before = masquerade.entries_of(config.fields, field)

    added = config.with_entries(field, [*before, "10.0.1.8/32", "10.0.1.9/32"])

    assert masquerade.entries_of(ConfigText(added).fields, field) == [*before, "10.0.1.8/32", "10.0.1.9/32"]
    assert ConfigText(added).with_entries(field, before) == text


def test_the_sample_of_tke_changes_in_the_one_field():
    assert revised(OF_TKE, "172.16.0.2/32", "172.16.0.3/32") == OF_TKE.replace(
        '"172.16.0.2/32"', '"172.16.0.2/32","172.16.0.3/32"'
    )


@pytest.mark.parametrize("margin", ["    ", "\t"])
def test_json_with_a_line_for_each_entry_gets_lines(margin):
    text = json.dumps(json.loads(OF_TKE), indent=margin)

    assert revised(text, "172.16.0.2/32", "172.16.0.3/32") == text.replace(
        '"172.16.0.2/32"', f'"172.16.0.2/32",\n{margin * 2}"172.16.0.3/32"'
    )


def test_a_list_in_brackets_goes_on_as_its_last_entries_do():
    text = '{"NonMasqueradeSrcCIDRs": ["10.0.1.1/32" , "10.0.1.2/32","10.0.1.3/32",  "10.0.1.4/32"]}'

    kept = "10.0.1.1/32", "10.0.1.2/32", "10.0.1.3/32", "10.0.1.4/32"
    assert revised(text, *kept, "10.0.1.5/32") == text.replace('4/32"', '4/32",  "10.0.1.5/32"')
    assert revised(text, *kept[1:]) == text.replace('"10.0.1.1/32" , ', "")
    assert revised(text, *kept[:2]) == text.replace(',"10.0.1.3/32",  "10.0.1.4/32"', "")


def test_yaml_goes_on_as_its_last_entry_does():
    text = "nonMasqueradeSrcCIDRs:\n- '10.0.1.1/32'\n-  10.0.1.2/32\n-   \"10.0.1.3/32\"\nb: 1\n"

    kept = "10.0.1.1/32", "10.0.1.2/32", "10.0.1.3/32"
    assert revised(text, *kept, "10.0.1.4/32") == text.replace('3/32"', '3/32"\n-   "10.0.1.4/32"')
    assert revised(text, kept[0], "10.0.1.4/32") == (
        "nonMasqueradeSrcCIDRs:\n- '10.0.1.1/32'\n-   \"10.0.1.4/32\"\nb: 1\n"
    )
    assert revised(text, "10.0.1.4/32") == 'nonMasqueradeSrcCIDRs:\n-   "10.0.1.4/32"\nb: 1\n'


def test_yaml_keeps_comments_and_quotes():
    assert revised(YAML, "10.9.9.9/32", "10.0.1.5/32") == YAML.replace("- 10.0.1.4/32", "- 10.0.1.5/32")


def test_yaml_keeps_its_margins_and_line_ends():
    text = "---\r\nnonMasqueradeSrcCIDRs:\r\n  - 10.0.1.4/32\r\n# the end\r\n"

    assert revised(text, "10.0.1.4/32", "10.0.1.5/32") == text.replace(
        "  - 10.0.1.4/32\r\n", "  - 10.0.1.4/32\r\n  - 10.0.1.5/32\r\n"
    )


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("masqLinkLocal: false\n", "masqLinkLocal: false\nnonMasqueradeSrcCIDRs:\n- 10.0.1.4/32\n"),
        ("masqLinkLocal: false # x", "masqLinkLocal: false # x\nnonMasqueradeSrcCIDRs:\n- 10.0.1.4/32"),
        (
            "nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n\n# the end\n",
            "nonMasqueradeCIDRs:\n  - 10.0.0.0/8\nnonMasqueradeSrcCIDRs:\n  - 10.0.1.4/32\n\n# the end\n",
        ),
        (
            "  masqLinkLocal: false\n",
            "  masqLinkLocal: false\n  nonMasqueradeSrcCIDRs:\n  - 10.0.1.4/32\n",
        ),
        (
            "  a:\n    - 10.0.0.0/8\n  b: {c: d}\n  # the end\n",
            "  a:\n    - 10.0.0.0/8\n  b: {c: d}\n  nonMasqueradeSrcCIDRs:\n    - 10.0.1.4/32\n  # the end\n",
        ),
        ("{}", '{"NonMasqueradeSrcCIDRs":["10.0.1.4/32"]}'),
        ('{"MasqLinkLocal":true}', '{"MasqLinkLocal":true,"NonMasqueradeSrcCIDRs":["10.0.1.4/32"]}'),
        (
            '{\n\t"MasqLinkLocal": true\n}\n',
            '{\n\t"MasqLinkLocal": true,\n\t"NonMasqueradeSrcCIDRs": ["10.0.1.4/32"]\n}\n',
        ),
        (
            '{"a": 1,"b": [2] ,  "c": {"d": 3}}',
            '{"a": 1,"b": [2] ,  "c": {"d": 3} ,  "nonMasqueradeSrcCIDRs": ["10.0.1.4/32"]}',
        ),
        ("{a: 1, # ours\n b: 2}", '{a: 1, # ours\n b: 2, nonMasqueradeSrcCIDRs: ["10.0.1.4/32"]}'),
        ("null", '{"NonMasqueradeSrcCIDRs":["10.0.1.4/32"]}'),
        ("", "NonMasqueradeSrcCIDRs:\n- 10.0.1.4/32\n"),
        ("# kept by us\n", "# kept by us\nNonMasqueradeSrcCIDRs:\n- 10.0.1.4/32\n"),
        ("---\n# kept by us", "---\n# kept by us\nNonMasqueradeSrcCIDRs:\n- 10.0.1.4/32"),
    ],
)
def test_a_field_that_is_not_there_is_added_in_the_style_of_the_others(text, changed):
    assert revised(text, "10.0.1.4/32") == changed


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("nonMasqueradeSrcCIDRs:  # ours\nb: 1\n", "nonMasqueradeSrcCIDRs:  # ours\n- 10.0.1.4/32\nb: 1\n"),
        ("nonMasqueradeSrcCIDRs: ~\n", 'nonMasqueradeSrcCIDRs: ["10.0.1.4/32"]\n'),
        ("nonMasqueradeSrcCIDRs: []\n", 'nonMasqueradeSrcCIDRs: ["10.0.1.4/32"]\n'),
        ('{"NonMasqueradeSrcCIDRs": null}', '{"NonMasqueradeSrcCIDRs": ["10.0.1.4/32"]}'),
    ],
)
def test_an_empty_field_is_filled(text, changed):
    assert revised(text, "10.0.1.4/32") == changed


def test_the_last_entry_leaves_an_empty_list():
    assert revised(OF_TKE) == OF_TKE.replace('"172.16.0.2/32"', "")
    assert revised("nonMasqueradeSrcCIDRs:  # ours\n- 10.0.1.4/32\nb: 1\n") == (
        "nonMasqueradeSrcCIDRs: []  # ours\nb: 1\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: &all\n- 10.0.1.4/32\nnonMasqueradeSrcCIDRs: *all\n",
        "nonMasqueradeSrcCIDRs: &all\n- 10.0.1.4/32\na: *all\n",
        "nonMasqueradeSrcCIDRs:\n-\n  10.0.1.4/32\n",
        "? nonMasqueradeSrcCIDRs\n: - 10.0.1.4/32\n",
        "---\n...\n",
    ],
)
def test_a_layout_that_is_not_understood_is_left_alone(text):
    with pytest.raises(InvalidInputError, match=r"onMasqueradeSrcCIDRs in config cannot be changed"):
        revised(text, "10.0.1.4/32", "10.0.1.5/32")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\na: 2\n", "a stands there more than once"),
        ("a:\n- b: 1\n  b: 2\n", "b stands there more than once"),
        ("a:\n- - b: {c: 1, c: 2}\n", "c stands there more than once"),
        ('{"a": [{"b": 1, "b": 2}]}', "b stands there more than once"),
        ("a: {<<: {b: 1}}\n", "it merges mappings"),
        ("- 10.0.1.4/32\n", "it is a list, not an object of fields"),
    ],
)
def test_what_can_be_understood_in_two_ways_is_refused(text, why):
    with pytest.raises(InvalidInputError, match=why):
        ConfigText(text)


PIECES = st.sampled_from(
    [
        *(
            "nonMasqueradeSrcCIDRs:",
            "- 10.0.1.4/32",
            "  - 10.0.1.5/32",
            "a: 1",
            "# c",
            "---",
            "",
            "b:",
            "- x",
        ),
        *(
            "[",
            "]",
            "{",
            "}",
            '"a": ["b",',
            '"10.0.1.4/32"',
            "\t",
            "|",
            "  text",
            "...",
            "- - x",
            "? a",
            ": b",
        ),
    ]
)


@given(st.lists(PIECES, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans())
@example(pieces=["# c"], end="\r\n", ended=False)
def test_whatever_stands_there_is_changed_in_its_one_list_or_refused(pieces, end, ended):
    text = end.join(pieces) + end * ended
    entries = ["10.0.1.4/32", "10.0.1.9/32"]
    try:
        config = ConfigText(text)
        field = masquerade.field_of(config.fields)
        masquerade.entries_of(config.fields, field)
        changed = config.with_entries(field, entries)
    except InvalidInputError:
        return
    assert ConfigText(changed).fields == {**config.fields, field: entries}
    assert [line for line in changed.splitlines() if line.strip().startswith("#")] == [
        line for line in text.splitlines() if line.strip().startswith("#")
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"a": 1, "a": 2}', "a stands there more than once"),
        ("a: 1\na: 2\n", "a stands there more than once"),
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
