#!/usr/bin/env bash
# Builds the image from deploy/image/Dockerfile with buildah, without a daemon and, if need be, without a registry.
#
# Usage: build.sh NAME OUTPUT.tar [ARCHITECTURE]
#
# ARCHITECTURE is amd64 or arm64, by default this machine's; nothing of another one is run.
#
# Two builds of a commit are the same to the last bit as long as Debian's archive is: every date in the image is
# SOURCE_DATE_EPOCH, by default the commit's; and OCI's format has no name of the container that it was built in.
#
# buildah keeps its layers below ${TKE_ENI_CACHE:-~/.cache/tke-eni}/image and touches no other storage. The base
# image is pulled; where no registry can be reached it is made from Debian's packages (base.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."

name=$1 output=$2
here=$(dpkg --print-architecture)
architecture=${3:-$here}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
cache=${TKE_ENI_CACHE:-$HOME/.cache/tke-eni}/image
base=docker.io/library/debian:bookworm-slim
# The vfs driver works everywhere and copies the whole image for each layer: three times as slow.
if grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null; then driver=overlay; else driver=vfs; fi
store=(--root "$cache/$driver" --runroot "$cache/run-$driver" --storage-driver "$driver")
mkdir -p "$cache"

# Two builds at once would remove each other's containers.
exec 9>"$cache/lock"
flock 9

if ! buildah "${store[@]}" inspect --type image "$base" >/dev/null 2>&1; then
    timeout 30 buildah "${store[@]}" pull --quiet "$base" >/dev/null 2>&1 ||
        deploy/image/base.sh "$base" "${store[@]}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
certificates=${PIP_CERT:-$(python3 -m pip config get global.cert 2>/dev/null || true)}
index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
{
    echo '[global]'
    [ -z "$certificates" ] || echo 'cert = /run/ca.pem'
    [ -z "$index" ] || echo "index-url = $index"
} >"$work/pip.conf"
cp "${certificates:-/dev/null}" "$work/ca.pem"

build() {
    buildah "${store[@]}" bud --quiet --isolation chroot --layers --pull-never --format oci \
        --timestamp "$SOURCE_DATE_EPOCH" \
        --platform "linux/$architecture" --build-arg "BUILDPLATFORM=linux/$here" --build-arg "TARGETARCH=$architecture" \
        --secret "id=pip.conf,src=$work/pip.conf" --secret "id=ca.pem,src=$work/ca.pem" \
        --ignorefile deploy/image/Dockerfile.dockerignore --file deploy/image/Dockerfile "$@" . >/dev/null
}
# A name of its own keeps what the first stage has downloaded: layers that nothing is named after are removed below.
build --target build --tag "localhost/tke-eni-build:$architecture"
build --tag "$name"
mkdir -p "$(dirname "$output")"
rm -f "$output.new"
buildah "${store[@]}" push --quiet "$name" "docker-archive:$output.new:$name"
mv "$output.new" "$output"
# Layers of earlier builds.
buildah "${store[@]}" images --quiet --filter dangling=true | xargs -r buildah "${store[@]}" rmi >/dev/null 2>&1 || true
