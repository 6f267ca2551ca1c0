#!/usr/bin/env bash
# Builds the image of the release that is checked out, proves that it can be built again, and pushes it.
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
    echo "the $build build"
    TKE_ENI_CACHE="$work/$build" deploy/image/build.sh "$name:$version" "$work/$build.tar"
    [ "$build" = first ] || rm -rf "${work:?}/$build"
done
cmp "$work/first.tar" "$work/second.tar" ||
    die "two builds of the same commit differ: diffoscope $work/first.tar $work/second.tar"
mkdir -p build/image
cp "$work/first.tar" build/image/ipamd.tar
make --no-print-directory sbom
if [ "$push" = no ]; then
    echo "nothing was pushed; both builds are $(sha256sum <build/image/ipamd.tar | cut -d' ' -f1)"
    exit 0
fi
skopeo copy --digestfile "$work/digest" docker-archive:build/image/ipamd.tar "docker://$name:$version"
digest=$(cat "$work/digest")
echo "$name:$version is $digest; sign it:"
echo "  cosign sign $name@$digest"
echo "  cosign attest --type cyclonedx --predicate build/image/ipamd.cdx.json $name@$digest"
