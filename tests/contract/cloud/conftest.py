"""The endpoint that the contract is checked against: the simulated region, or a real one.

What our code relies on is written in these tests once. They use nothing but the API and take back what they
make, so that they can run in a test account: set CONTRACT_CLOUD to the path of a JSON file with the fields
of `account.Endpoint`. It costs some minutes of a few EIPs.
"""

from collections.abc import Iterator

import pytest

from tests.contract.cloud import endpoints
from tests.contract.cloud.account import Account, Endpoint


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with endpoints.under_test() as endpoint:
        yield endpoint


@pytest.fixture
def account(endpoint) -> Iterator[Account]:
    account = Account(endpoint)
    yield account
    account.clean_up()
