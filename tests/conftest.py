"""What all tests share.

In CI hypothesis draws the same examples in every run, so that a change is judged by what it changes. Anywhere
else it looks for new ones; what it finds becomes a test of its own.
"""

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

_E2E = Path(__file__).parent / "e2e"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the tests that need a whole cluster out, unless they are named (`make e2e` does)."""
    named = [
        (config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args
    ]
    wanted = any(path.is_relative_to(_E2E) for path in named)
    return True if collection_path == _E2E and not wanted else None
