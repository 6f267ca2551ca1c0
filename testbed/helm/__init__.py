"""Helm, built from the Go module proxy: what operators install the chart with, for its tests."""

from pathlib import Path

from testbed.go_build import CACHE, GoBuild, required_version

_FOLDER = Path(__file__).parent
VERSION = required_version(_FOLDER, "helm.sh/helm/v4")

HELM = GoBuild(
    title=f"Helm {VERSION}",
    module=_FOLDER,
    directory=CACHE / "helm" / VERSION,
    packages={"helm": "helm.sh/helm/v4/cmd/helm"},
    variables={"helm.sh/helm/v4/internal/version.version": VERSION},
    target="helm",
)
"""`make helm`: build it unless this release is in the cache."""
