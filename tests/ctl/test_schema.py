"""What ipamctl prints as JSON is what its schemas say, and the schemas are those of the contract."""

import json
from pathlib import Path

import jsonschema
import pytest

from testbed.documentation import schemas
from tests.docs.project import DOCS

SCHEMAS = Path(DOCS) / "ipamctl-schema"


def schema_of(command):
    return json.loads((SCHEMAS / schemas.file_name(command)).read_text())


ARGUMENTS = {
    "trace": ("kube-system/web-1",),
    "explain pod": ("web-0",),
    "connectivity": ("--to", "192.0.2.1:443"),
}
"""What a command needs besides its name."""


@pytest.mark.parametrize("command", sorted(schemas.ANSWERS))
def test_what_is_printed_is_what_the_schema_says(ipamctl, command):
    text = ipamctl(*command.split(), *ARGUMENTS.get(command, ()), "-o", "json").stdout
    printed = json.loads(text.splitlines()[0] if command == "watch" else text)

    jsonschema.validate(printed, schema_of(command), format_checker=jsonschema.FormatChecker())
    assert set(printed) == set(schema_of(command)["properties"])


@pytest.mark.parametrize("command", sorted(schemas.ANSWERS))
def test_the_schema_is_that_of_the_contract(command):
    schema = schema_of(command)

    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == schemas.all_of_them()[command], "run `make docs`"


@pytest.mark.parametrize("broken", [{"pods": [{}]}, {"pods": None}, {}])
def test_a_schema_refuses_what_lacks_a_field(broken):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema_of("pods"))
