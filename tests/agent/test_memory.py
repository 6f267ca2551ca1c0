"""What the agent's process does without."""

import subprocess
import sys

PROGRAM = """
import sys
from ipamd.agent import memory
with memory.without_detector():
    import ipamd.agent.main
print("charset_normalizer" in sys.modules)
import charset_normalizer, requests
response = requests.Response()
response._content = "Zürich".encode()
print(response.text)
"""


def test_the_agent_imports_no_detector_of_encodings_and_others_may():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("False\nZürich\n", "")
