"""The CAM policy: the actions that the code calls, and no other."""

import ast
import json

from ipamd.cloud import throttling
from ipamd.core.preflight import rights
from tests.deploy import manifests

POLICY = json.loads((manifests.DEPLOY / "cam-policy.json").read_text())


def called():
    """Names of actions that stand in the adapter, which is where all calls are made."""
    actions = set()
    for path in (manifests.DEPLOY.parent / "ipamd/cloud").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_action(node.value):
                actions.add(node.value)
    return actions


def is_action(text):
    verbs = ("Add", "Allocate", "Associate", "Assign", "Attach", "Create", "Delete", "Describe", "Detach")
    more = ("Disassociate", "Migrate", "Modify", "Release", "Remove", "Unassign")
    verb = next((verb for verb in verbs + more if text.startswith(verb)), "")
    noun = text.removeprefix(verb)
    is_field = text == "AttachType"
    return bool(verb) and noun.isalpha() and noun[0].isupper() and not is_field


def test_it_allows_what_the_code_calls_and_nothing_else():
    allowed = [action for statement in POLICY["statement"] for action in statement["action"]]

    assert {action.rpartition(":")[2] for action in allowed} == called()
    assert len(allowed) == len(set(allowed))


def test_the_pre_flight_knows_every_action_that_is_called_and_the_rate_of_each():
    names = [action.name for action in rights.ACTIONS]

    assert set(names) == called()
    assert len(names) == len(set(names))
    assert set(names) == set(throttling.ALLOWANCE)


def test_what_only_reads_is_called_or_named_as_needing_an_object():
    for action in rights.ACTIONS:
        assert action.name.startswith("Describe") == (action.trial is not rights.Trial.CHANGES), action


PRIVATE = ("PrivateIp", "ReserveIp", "UsedIp")


def test_actions_on_eips_are_in_the_name_space_where_cam_looks_for_them():
    """CAM checks them as cvm:..., though the API is that of vpc; its refusals say so."""
    for statement in POLICY["statement"]:
        for action in statement["action"]:
            product, name = action.removeprefix("name/").split(":")
            if name.endswith(("Address", "Addresses", "AddressQuota")):
                assert product == ("vpc" if any(word in name for word in PRIVATE) else "cvm"), name
