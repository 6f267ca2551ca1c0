#!/usr/bin/env bash
# Makes the image's root: Python, libnftables, and the C++ library that grpc links with; no shell and no other program.
#
# Usage: root.sh ARCHITECTURE DIRECTORY
set -euo pipefail

architecture=$1 root=$2
"$(dirname "$0")/unpack.sh" "$architecture" "$root" \
    base-files base-passwd libc-bin libnftables1 libstdc++6 python3.11

# What the scripts of base-files, base-passwd and libc-bin do.
rmdir "$root/var/run" "$root/var/lock"
ln -sT /run "$root/var/run"
ln -sT /run/lock "$root/var/lock"
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
cp "$root/usr/share/libc-bin/nsswitch.conf" "$root/etc/nsswitch.conf"

# Nobody reads it there; licences stay.
find "$root/usr/share/doc" -mindepth 1 ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -mindepth 1 -type d -empty -delete
rm -rf "$root"/usr/share/{man,info,locale,lintian,gdb,bash-completion,applications,pixmaps}
# Tables of iconv, which Python does not use: a quarter of all.
rm -rf "$root"/usr/lib/*/gconv
# Programs of libc-bin and Python's debugger.
find "$root/usr/bin" "$root/usr/sbin" -mindepth 1 ! -name 'python3.11' -delete

# Bytecode is the same on all architectures; without a date, because all files of the image get one.
python3.11 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$root" -p / "$root/usr/lib/python3.11"
