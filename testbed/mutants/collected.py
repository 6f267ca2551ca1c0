"""Which tests there are by now.

pytest ends with an error when a test that is named does not exist. No mutant must count as noticed because a
test of the record has another name since.
"""

import subprocess
import sys


def collected_tests() -> set[str]:
    """Return pytest's names of the tests below the current directory.

    Raises:
        subprocess.CalledProcessError: pytest cannot import some: no mutant could be judged.
    """
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    listed = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {line for line in listed.splitlines() if "::" in line}
