"""The manifests of deploy/components/monitoring, tried with the programs that will read them."""

from testbed.debian import UnpackedPackage

PROMETHEUS = UnpackedPackage(
    name="prometheus", programs=("usr/bin/prometheus", "usr/bin/promtool"), target="prometheus"
)
"""Debian's Prometheus, and what checks its rules."""
