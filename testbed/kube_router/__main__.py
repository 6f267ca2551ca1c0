"""`make kube-router`: build it unless this release is in the cache."""

import sys

from testbed.kube_router import KUBE_ROUTER

if __name__ == "__main__":
    sys.exit(KUBE_ROUTER.main())
