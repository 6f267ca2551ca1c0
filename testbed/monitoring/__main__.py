"""`make prometheus`: unpack it unless it is in the cache."""

import sys

from testbed.monitoring import PROMETHEUS

if __name__ == "__main__":
    sys.exit(PROMETHEUS.main())
