"""`make kubernetes`: build the programs unless this release is in the cache, and say how long it took.

Five to six minutes on two cores with an empty build cache, seconds with a warm one. With `oldest` or
`newest`: the API server of that release and its controllers, in two and a half.
"""

import argparse
import sys
from collections.abc import Sequence

from testbed.kubernetes.programs import KUBERNETES, NEWEST, OLDEST

_RELEASES = {"": KUBERNETES, "oldest": OLDEST, "newest": NEWEST}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build one release; 1 with a reason on stderr when that is not possible."""
    parser = argparse.ArgumentParser(prog="python -m testbed.kubernetes", description=__doc__)
    parser.add_argument(
        "release", nargs="?", default="", choices=_RELEASES, help="another than the cluster's"
    )
    parser.add_argument("--directory", action="store_true", help="say where it is, and build nothing")
    options = parser.parse_args(arguments)
    release = _RELEASES[options.release]
    if options.directory:
        print(release.directory)
        return 0
    return release.main()


if __name__ == "__main__":
    sys.exit(main())
