#!/usr/bin/env bash
# Installs the C compiler for an architecture, with CPython's static library; its options for cni_plugin/build.py are
# then in DIRECTORY/options.
#
# Usage: compiler.sh ARCHITECTURE DIRECTORY
set -euo pipefail

architecture=$1 directory=$2
export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes
mkdir -p "$directory"
if [ "$architecture" = "$(dpkg --print-architecture)" ]; then
    apt-get install -y -qq --no-install-recommends gcc libc6-dev libpython3.11-dev >/dev/null
    : >"$directory/options"
    exit 0
fi
case $architecture in
    amd64) triplet=x86-64-linux-gnu ;;
    arm64) triplet=aarch64-linux-gnu ;;
    *) echo "compiler.sh: $architecture is unknown; there are amd64 and arm64" >&2 && exit 1 ;;
esac
apt-get install -y -qq --no-install-recommends "gcc-$triplet" "libc6-dev-$architecture-cross" >/dev/null
"$(dirname "$0")/unpack.sh" --alone "$architecture" "$directory/root" libpython3.11-dev
echo "--compiler ${triplet/x86-64/x86_64}-gcc --root $directory/root" >"$directory/options"
