#!/usr/bin/env bash
# Makes a virtual environment with the packages of requirements.lock, their compiled parts for an architecture.
#
# Usage: requirements.sh ARCHITECTURE DIRECTORY
set -euo pipefail

directory=$2
case $1 in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    *) echo "requirements.sh: $1 is unknown; there are amd64 and arm64" >&2 && exit 1 ;;
esac
# What runs with the C library of Debian 12, which is 2.36; nothing is built from sources.
platforms=()
for minor in $(seq 17 36); do platforms+=(--platform "manylinux_2_${minor}_$machine"); done

python3.11 -m venv --without-pip "$directory"
packages=$directory/lib/python3.11/site-packages
python3.11 -m pip --python "$directory/bin/python" install --quiet --no-cache-dir --no-compile --require-hashes --no-deps \
    --only-binary :all: "${platforms[@]}" --target "$packages" -r "$(dirname "$0")/requirements.lock"
# Their commands, which pip puts beside them: for developers.
rm -rf "$packages/bin"
