"""What the admission component says in several places, and must say alike."""

import json
import re

import yaml

from ipamd.controller.admission.registration import NAME
from ipamd.controller.admission.server import PATH
from ipamd.core.kubernetes.annotation_names import (
    EIP_ATTRIBUTES,
    EXISTING,
    NETWORKS,
    NOMINATED_VPC_IP,
    VPC_IP_DELETE_POLICY,
)
from tests.deploy import manifests

COMPONENT = "components/admission"


def test_service_secret_and_configuration_have_the_name_that_the_controller_looks_for():
    service = manifests.one("Service", NAME, f"{COMPONENT}/service.yaml")
    secret = manifests.one("Secret", NAME, f"{COMPONENT}/service.yaml")
    configuration = manifests.one("MutatingWebhookConfiguration", NAME, f"{COMPONENT}/webhook.yaml")
    (webhook,) = configuration["webhooks"]
    assert webhook["clientConfig"]["service"] == {
        "namespace": service["metadata"]["namespace"],
        "name": NAME,
        "port": service["spec"]["ports"][0]["port"],
        "path": PATH,
    }
    assert secret["metadata"]["namespace"] == service["metadata"]["namespace"]
    assert "data" not in secret


def test_the_service_leads_to_the_port_that_the_controller_is_told():
    service = manifests.one("Service", NAME, f"{COMPONENT}/service.yaml")
    flag, ports = (entry["patch"] for entry in manifests.read(f"{COMPONENT}/kustomization.yaml")["patches"])
    port = service["spec"]["ports"][0]["targetPort"]
    assert f"--admission-webhook=0.0.0.0:{port}" in flag
    assert f"containerPort: {port}" in ports
    labels = manifests.one("Deployment", "tke-eni-ipamd", "controller.yaml")["spec"]["template"]["metadata"][
        "labels"
    ]
    assert service["spec"]["selector"].items() <= labels.items()


def test_an_outage_of_the_webhook_keeps_no_pod_from_starting():
    (webhook,) = manifests.one("MutatingWebhookConfiguration", NAME, f"{COMPONENT}/webhook.yaml")["webhooks"]
    assert webhook["failurePolicy"] == "Ignore"
    assert webhook["sideEffects"] == "None"
    assert webhook["timeoutSeconds"] <= 3
    assert "kube-system" in json.dumps(webhook["namespaceSelector"])


def test_the_api_server_asks_for_a_pod_with_any_annotation_that_the_webhook_acts_on():
    (entry,) = manifests.read(f"{COMPONENT}/from-1.27/kustomization.yaml")["patches"]
    (operation,) = yaml.safe_load(entry["patch"])
    (condition,) = operation["value"]

    named = re.findall(r"'(\S+)' in object\.metadata\.annotations", condition["expression"])

    assert set(named) == {EIP_ATTRIBUTES, *EXISTING, VPC_IP_DELETE_POLICY, NOMINATED_VPC_IP, NETWORKS}
