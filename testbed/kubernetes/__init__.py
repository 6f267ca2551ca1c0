"""The Kubernetes programs, built from the Go module proxy: one release, one build, cached by version.

`go.mod` beside this file names the release and `go.sum` pins every byte of it.
"""

from testbed.kubernetes.programs import KUBERNETES, NEWEST, OLDEST, VERSION, locate

__all__ = ["KUBERNETES", "NEWEST", "OLDEST", "VERSION", "locate"]
