#!/usr/bin/env bash
# Makes the image debian:bookworm-slim out of Debian's packages, for machines that reach no image registry.
# What the official one leaves out (documentation, manuals, translations) is left out here too.
#
# Usage: base.sh NAME BUILDAH-OPTION...
set -euo pipefail

name=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mmdebstrap --quiet --variant=minbase --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
    bookworm "$work/base.tar" >/dev/null
printf 'FROM scratch\nADD base.tar /\nCMD ["bash"]\n' >"$work/Dockerfile"
buildah "$@" bud --quiet --isolation chroot --format oci --timestamp "${SOURCE_DATE_EPOCH:-0}" --tag "$name" "$work" >/dev/null
