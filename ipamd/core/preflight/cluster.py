"""Whether a cluster is fit. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

from ipamd.core.preflight.result import FitnessCheck, Judgement, fine, problem, unknown, warning

LEAST: Final = (1, 22)
"""What deploy/ is made of is there from here (docs/adr/0044)."""
WITH_RULES: Final = (1, 25)
"""The rules in the CRDs (x-kubernetes-validations) are on from here; before, the controller checks alone."""
OUR_LABEL: Final = ("app.kubernetes.io/part-of", "tke-eni")


def version(major: str, minor: str) -> Judgement:
    """Judge the API server's version as /version has it; a provider's minor may end with a +."""
    shown = f"{major}.{minor}"
    numbers = [re.match(r"\d+", part) for part in (major, minor)]
    subject = "cluster/version"
    if not all(numbers):
        return unknown(FitnessCheck.KUBERNETES_VERSION, subject, f"it says {shown!a}", "see kubectl version")
    found = tuple(int(one[0]) for one in numbers if one)
    if found < LEAST:
        text = f"it is Kubernetes {shown}, and {'.'.join(map(str, LEAST))} or newer is needed"
        return problem(FitnessCheck.KUBERNETES_VERSION, subject, text, "upgrade the cluster")
    if found < WITH_RULES:
        text = (
            f"it is Kubernetes {shown}, which does not know the rules of our CRDs: only the controller does"
        )
        step = "apply with --validate=false if kubectl refuses the CRDs, and look at a claim's conditions"
        return warning(FitnessCheck.KUBERNETES_VERSION, subject, text, step)
    return fine(FitnessCheck.KUBERNETES_VERSION, subject, f"it is Kubernetes {shown}")


def installation(kind: str, name: str, workload: Mapping[str, Any] | None) -> Judgement:
    """Judge a workload that has the name of one of ours; None: there is none."""
    subject = f"{kind.lower()}/kube-system/{name}"
    if workload is None:
        return fine(FitnessCheck.OTHER_INSTALLATION, subject, "there is none yet")
    labels = (workload.get("metadata") or {}).get("labels") or {}
    if labels.get(OUR_LABEL[0]) == OUR_LABEL[1]:
        return fine(FitnessCheck.OTHER_INSTALLATION, subject, "it is ours")
    return problem(
        FitnessCheck.OTHER_INSTALLATION,
        subject,
        f"it is not ours, so it is TKE's own: it has no label {'='.join(OUR_LABEL)}",
        "turn TKE's VPC-CNI off for this cluster (console, or the add-on eniipamd), then install",
    )


def answers() -> Judgement:
    """Return that the API server answers."""
    return fine(FitnessCheck.API_SERVER, "cluster/api-server", "it answers")


def away(reason: str) -> Judgement:
    """Return that the API server does not answer."""
    step = "look at the way to it; outside of the cluster, name it with --kubeconfig"
    return problem(FitnessCheck.API_SERVER, "cluster/api-server", reason, step)


def unseen(check: FitnessCheck, subject: str, reason: str) -> Judgement:
    """Return what the API server did not tell."""
    return unknown(check, subject, reason, "run it with the kubeconfig of an administrator")
