#!/usr/bin/env bash
# Builds the image of the release that is checked out, for amd64 and arm64, proves that it can be built again, and pushes it.
#
# Usage: publish.sh [--dry-run]
#
# The version's tag has to be checked out, without changes. Needs what `make image` needs, and skopeo, which takes the
# registry's login from ~/.docker/config.json (docker login, skopeo login).
set -euo pipefail
cd "$(dirname "$0")/../.."

die() {
    echo "publish.sh: $*" >&2
    exit 1
}

push=yes
case "${1:-}" in
    '') ;;
    --dry-run) push=no ;;
    *) die "$1 is unknown; allowed is --dry-run" ;;
esac
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' ipamd/__init__.py)
name=ccr.ccs.tencentyun.com/tke-eni/ipamd
[ -z "$(git status --porcelain)" ] || die "the checkout has changes: commit or stash them"
[ "$push" = no ] || [ "$(git describe --exact-match --match "v$version" 2>/dev/null || true)" = "v$version" ] ||
    die "the commit has no tag v$version: see RELEASING.md"

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for build in first second; do
    for architecture in amd64 arm64; do
        echo "the $build build for $architecture"
        TKE_ENI_CACHE="$work/cache" deploy/image/build.sh "$name:$version" "$work/$build/ipamd-$architecture.tar" "$architecture"
    done
    rm -rf "$work/cache" # layers: the second build makes them anew
done
for architecture in amd64 arm64; do
    cmp "$work"/{first,second}/"ipamd-$architecture.tar" ||
        die "two builds of the same commit differ: diffoscope $work/{first,second}/ipamd-$architecture.tar"
done
mkdir -p build/image
cp "$work"/first/*.tar build/image/
make --no-print-directory build/image/ipamd.oci.tar build/image/ipamd-{amd64,arm64}.cdx.json
index=oci-archive:build/image/ipamd.oci.tar
if [ "$push" = no ]; then
    echo "nothing was pushed; both builds are sha256:$(skopeo inspect --raw "$index" | sha256sum | cut -d' ' -f1)"
    exit 0
fi
skopeo copy --all --digestfile "$work/digest" "$index" "docker://$name:$version"
echo "$name:$version is $(cat "$work/digest"), for amd64 and arm64; sign it, and each with what is in it:"
echo "  cosign sign --recursive $name@$(cat "$work/digest")"
for architecture in amd64 arm64; do
    digest=$(skopeo inspect --raw "$index" | python3 -c '
import json, sys
print(*(i["digest"] for i in json.load(sys.stdin)["manifests"] if i["platform"]["architecture"] == sys.argv[1]))' "$architecture")
    echo "  cosign attest --type cyclonedx --predicate build/image/ipamd-$architecture.cdx.json $name@$digest"
done
