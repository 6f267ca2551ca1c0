#!/usr/bin/env bash
# Unpacks Debian's packages of an architecture, and what they depend on, into a directory. Nothing of them is run, so
# the architecture may be another one than this machine's.
#
# Usage: unpack.sh ARCHITECTURE DIRECTORY PACKAGE...
#        unpack.sh --alone ARCHITECTURE DIRECTORY PACKAGE...      without what they depend on
set -euo pipefail

alone=no
if [ "$1" = --alone ]; then
    alone=yes
    shift
fi
architecture=$1 root=$2
shift 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial"
# What only the packages' scripts ask for, and no script is run.
for name in debconf dpkg mawk; do
    echo "Package: $name"
    [ "$name" != mawk ] || echo 'Provides: awk'
    printf 'Status: install ok installed\nVersion: 99\nArchitecture: %s\nMaintainer: -\nDescription: -\n\n' "$architecture"
done >"$work/status"
# The machine's apt is not told of that architecture: lists and cache of its own, for this once.
apt=(apt-get -qq -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" -o APT::Sandbox::User=root
    -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work"
    -o Acquire::Languages=none)
"${apt[@]}" update
if [ "$alone" = yes ]; then
    (cd "$work/archives" && "${apt[@]}" download "$@")
else
    "${apt[@]}" install --yes --no-install-recommends --download-only "$@" >/dev/null
fi

# Since Debian 12 these are links, and packages still have files below them.
for directory in bin lib lib64 sbin; do
    mkdir -p "$root/usr/$directory"
    ln -sfT "usr/$directory" "$root/$directory"
done
# dpkg's list, a file for each package: scanners of images know it in this form.
mkdir -p "$root/var/lib/dpkg/status.d"
for package in "$work"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar --extract --directory "$root" --keep-directory-symlink
    dpkg-deb --field "$package" >"$root/var/lib/dpkg/status.d/$(dpkg-deb --field "$package" Package)"
done
