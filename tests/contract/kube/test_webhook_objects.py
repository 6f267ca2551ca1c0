"""Secrets and webhook configurations, as far as the admission webhook's certificate is kept in them."""

import base64
import datetime as dt

import pytest

from ipamd.controller.admission import certificates
from tests.contract.kube.endpoint import JSON_PATCH, MERGE

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


def secret(**members):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **members}


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def test_a_secret_begins_empty_and_is_filled_by_a_merge_patch(api, place):
    created = api.create(place.core("secrets"), secret())
    assert created.code == 201
    assert created.body["type"] == "Opaque"
    assert "data" not in created.body

    body = {"metadata": {"resourceVersion": created.version}, "data": {"tls.crt": encoded("one")}}
    filled = api.patch(place.core("secrets", "s"), body, MERGE)

    assert filled.code == 200
    assert filled.body["data"] == {"tls.crt": encoded("one")}


def test_of_two_that_fill_a_secret_the_second_conflicts(api, place):
    version = api.create(place.core("secrets"), secret()).version
    body = {"metadata": {"resourceVersion": version}, "data": {"tls.crt": encoded("one")}}
    assert api.patch(place.core("secrets", "s"), body, MERGE).code == 200

    code, reason, _ = api.patch(
        place.core("secrets", "s"), {**body, "data": {"tls.crt": encoded("two")}}, MERGE
    ).failure

    assert (code, reason) == (409, "Conflict")
    assert api.get(place.core("secrets", "s")).body["data"] == {"tls.crt": encoded("one")}


def test_data_of_a_secret_is_base64(api, place):
    refused = api.create(place.core("secrets"), secret(data={"key": "not base64"}))
    assert refused.code == 400


def test_text_becomes_data(api, place):
    created = api.create(place.core("secrets"), secret(stringData={"key": "text"}))
    assert created.body["data"] == {"key": encoded("text")}
    assert "stringData" not in created.body


def test_the_type_of_a_secret_is_for_ever(api, place):
    api.create(place.core("secrets"), secret())
    refused = api.patch(place.core("secrets", "s"), {"type": "kubernetes.io/tls"}, MERGE)
    assert refused.failure[:2] == (422, "Invalid")
    assert ("type", "FieldValueInvalid") in [cause[:2] for cause in refused.causes]


@pytest.fixture(scope="module")
def authority():
    """A certificate as PEM in base64; the server reads it."""
    keyring = certificates.renewed(None, ["x.svc"], dt.datetime.now(dt.UTC))
    return base64.b64encode(keyring.ca_bundle).decode()


@pytest.fixture
def configuration(api, place):
    """A configuration whose webhooks match nothing of anybody else."""

    def webhook(name):
        return {
            "name": f"{name}.contract.example",
            "clientConfig": {"service": {"namespace": place.name, "name": "nobody", "path": "/pods"}},
            "rules": [
                {
                    "apiGroups": ["none.example"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["x"],
                }
            ],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }

    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": place.name},
        "webhooks": [webhook("a"), webhook("b")],
    }
    created = api.create(WEBHOOKS, body)
    assert created.code == 201, created.body
    yield created
    api.delete(f"{WEBHOOKS}/{place.name}")


def test_a_webhook_has_defaults(configuration):
    webhook = configuration.body["webhooks"][0]
    assert configuration.body["metadata"]["generation"] == 1
    assert webhook["timeoutSeconds"] == 10
    assert webhook["failurePolicy"] == "Fail"
    assert webhook["reinvocationPolicy"] == "Never"
    assert webhook["clientConfig"]["service"]["port"] == 443
    assert webhook["rules"][0]["scope"] == "*"
    assert "caBundle" not in webhook["clientConfig"]


def operations(version, bundle):
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": bundle},
    ]


def test_the_bundle_of_one_webhook_is_set_for_a_version(api, place, configuration, authority):
    path = f"{WEBHOOKS}/{place.name}"

    patched = api.patch(path, operations(configuration.version, authority), JSON_PATCH)

    assert patched.code == 200, patched.body
    assert "caBundle" not in patched.body["webhooks"][0]["clientConfig"]
    assert patched.body["webhooks"][1]["clientConfig"]["caBundle"] == authority
    assert patched.body["metadata"]["generation"] == 2

    late = api.patch(path, operations(configuration.version, authority), JSON_PATCH)
    assert late.failure[:2] == (409, "Conflict")
