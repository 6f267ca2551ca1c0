"""`make containerd`: build it unless this release is in the cache."""

import sys

from testbed.containerd import CONTAINERD

if __name__ == "__main__":
    sys.exit(CONTAINERD.main())
