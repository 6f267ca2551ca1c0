"""The Helm chart in deploy/chart, made from the manifests and components of deploy/ (ADR 39)."""
