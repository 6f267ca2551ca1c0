"""What all tests share.

In CI hypothesis draws the same examples in every run, so that a change is judged by what it changes. Anywhere
else it looks for new ones; what it finds becomes a test of its own.
"""

import os

import hypothesis

hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
