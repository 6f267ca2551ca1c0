"""Kubernetes' own end-to-end tests of the network against the cluster of `make cluster`: `make conformance`.

The program is `k8s.io/kubernetes/test/e2e`, of the release that the cluster runs. `choice` says what of it
runs, `skips.yaml` what does not and why, `outcomes` reads what it reports.
"""
