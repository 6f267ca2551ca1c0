"""`make coredns`: build it unless this release is in the cache."""

import sys

from testbed.coredns import COREDNS

if __name__ == "__main__":
    sys.exit(COREDNS.main())
