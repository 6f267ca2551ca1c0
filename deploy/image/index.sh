#!/usr/bin/env bash
# Puts the images of several architectures under one name: an OCI archive with an index, from which a runtime takes what
# fits its node. The same images give the same digest.
#
# Usage: index.sh NAME OUTPUT.tar IMAGE.tar...
set -euo pipefail

name=$1 output=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# It is put together of nothing but files, so any storage driver does.
store=(--root "$work/root" --runroot "$work/run" --storage-driver vfs)
buildah "${store[@]}" manifest create "$name" >/dev/null
for image in "$@"; do
    # A docker archive has no digest of its own by which an index could name it.
    skopeo copy --quiet --format oci "docker-archive:$image" "oci:$work/layout:$(basename "$image" .tar)"
    buildah "${store[@]}" manifest add "$name" "oci:$work/layout:$(basename "$image" .tar)" >/dev/null
done
mkdir -p "$(dirname "$output")"
rm -f "$output.new"
buildah "${store[@]}" manifest push --quiet --all --format oci "$name" "oci-archive:$output.new:$name" >/dev/null
mv "$output.new" "$output"
