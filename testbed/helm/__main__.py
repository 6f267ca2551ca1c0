"""`make helm`: build Helm unless this release is in the cache."""

import sys

from testbed.helm import HELM

if __name__ == "__main__":
    sys.exit(HELM.main())
