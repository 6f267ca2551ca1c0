"""Two replicas, one Secret, one webhook configuration: both serve what the API server trusts."""

import base64
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509

from ipamd.controller.admission import certificates
from ipamd.controller.admission.registration import NAME, WebhookRegistration, decoded
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.errors import ConflictError, NotFoundError
from ipamd.kube.resources import MUTATING_WEBHOOKS, SECRETS
from simulator.kube import KubeServer, Store, listen
from simulator.kube.faults import Fault, FaultKind
from tests.testkit.eventually import eventually

DAY = 86400.0


class Replica:
    """A keeper that notes what is served, and whether the API server trusted it at that moment."""

    def __init__(self, cluster, name):
        self._client = KubeClient(Connection(server=cluster.server.url), component=name)
        self._cluster = cluster
        self.served = []
        self.defects = []
        self.now = time.time()
        self.keeper = WebhookRegistration(
            self._client, "kube-system", use=self._use, clock=lambda: self.now, look_again=0.05
        )

    def _use(self, certificate, key):
        assert b"PRIVATE KEY" in key
        if self.defects:
            raise self.defects.pop()
        self.served.append(x509.load_pem_x509_certificate(certificate))
        assert self._cluster.trusts(self.served[-1]), "served before it was trusted"

    def close(self):
        self.keeper.stop()
        self._client.close()


class Cluster:
    def __init__(self, server):
        self.server = server
        self.client = KubeClient(Connection(server=server.url), component="test")
        self._replicas = []
        self.client.create(SECRETS, {"metadata": {"namespace": "kube-system", "name": NAME}})
        webhook = {
            "name": "pods.networking.tke.cloud.tencent.com",
            "clientConfig": {"service": {"namespace": "kube-system", "name": NAME, "path": "/pods"}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        self.client.create(MUTATING_WEBHOOKS, {"metadata": {"name": NAME}, "webhooks": [webhook]})

    def replica(self, name="replica"):
        self._replicas.append(Replica(self, name))
        return self._replicas[-1]

    def secret(self):
        return self.client.get(SECRETS, NAME, "kube-system")

    def writes(self):
        return int(self.secret()["metadata"]["resourceVersion"])

    def trusts(self, certificate):
        (webhook,) = self.client.get(MUTATING_WEBHOOKS, NAME)["webhooks"]
        bundle = base64.b64decode(webhook["clientConfig"].get("caBundle", ""))
        for authority in x509.load_pem_x509_certificates(bundle) if bundle else ():
            try:
                certificate.verify_directly_issued_by(authority)
            except Exception:  # noqa: BLE001 - any reason means no trust
                continue
            return True
        return False

    def close(self):
        for replica in self._replicas:
            replica.close()
        self.client.close()


@pytest.fixture
def cluster():
    with KubeServer(Store(), [listen()]) as server:
        cluster = Cluster(server)
        yield cluster
        cluster.close()


def test_an_empty_secret_is_filled_the_bundle_set_and_then_it_is_served(cluster):
    replica = cluster.replica()

    replica.keeper.look()

    assert certificates.read({k: base64.b64decode(v) for k, v in cluster.secret()["data"].items()})
    assert len(replica.served) == 1


def test_a_second_replica_serves_the_same_and_writes_nothing(cluster):
    first, second = cluster.replica(), cluster.replica()
    first.keeper.look()
    before = cluster.writes()

    second.keeper.look()

    assert second.served == first.served
    assert cluster.writes() == before


def test_looking_again_changes_nothing(cluster):
    replica = cluster.replica()
    for _ in range(3):
        replica.keeper.look()
    assert len(replica.served) == 1
    patches = cluster.server.traffic.count(verb="patch", resource=MUTATING_WEBHOOKS.plural)
    assert patches == 1, "the bundle is written once"


def test_of_replicas_that_begin_at_once_all_end_with_one_certificate(cluster):
    replicas = [cluster.replica() for _ in range(4)]
    for replica in replicas:
        replica.keeper.start()

    deadline = time.monotonic() + 15
    while len({replica.served[-1] if replica.served else i for i, replica in enumerate(replicas)}) > 1:
        assert time.monotonic() < deadline, [replica.served for replica in replicas]
        time.sleep(0.02)
    assert cluster.trusts(replicas[0].served[-1])


def test_an_old_certificate_is_renewed_by_one_and_served_by_both(cluster):
    first, second = cluster.replica(), cluster.replica()
    for replica in (first, second):
        replica.keeper.look()
        replica.now += 300 * DAY

    first.keeper.look()
    second.keeper.look()

    assert len(first.served) == len(second.served) == 2
    assert first.served[1] == second.served[1] != first.served[0]


def test_through_ten_years_of_renewals_what_is_served_is_trusted(cluster):
    first, second = cluster.replica(), cluster.replica()
    for _ in range(50):
        for replica in (first, second):
            replica.keeper.look()
            replica.now += 80 * DAY
            assert cluster.trusts(first.served[-1])
    assert len(first.served) > 10


def test_a_bundle_that_was_lost_is_set_again(cluster):
    """What `kubectl replace -f` of the manifest does."""
    replica = cluster.replica()
    replica.keeper.look()
    take_away = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    cluster.client.patch(MUTATING_WEBHOOKS, NAME, take_away, content="json")
    assert not cluster.trusts(replica.served[0])

    replica.keeper.look()

    assert cluster.trusts(replica.served[0])


def test_a_secret_that_somebody_damaged_is_made_anew(cluster):
    replica = cluster.replica()
    replica.keeper.look()
    cluster.client.patch(SECRETS, NAME, {"data": {"ca.key": "bm9uc2Vuc2U=", "tls.crt": None}}, "kube-system")

    replica.keeper.look()

    assert len(replica.served) == 2


@pytest.mark.parametrize("value", [None, 7, "no base64"])
def test_what_is_no_base64_is_as_good_as_nothing(value):
    whole = {"tls.crt": base64.b64encode(b"x").decode()}

    assert decoded({**whole, "tls.key": value}) == {"tls.crt": b"x"}
    assert decoded(value) == {}


def test_who_is_late_conflicts_and_overwrites_nothing(cluster):
    """Between the read and the write of one replica another one writes."""
    late, quick = cluster.replica("late"), cluster.replica("quick")
    cluster.server.inject(
        Fault(
            kind=FaultKind.LATENCY, verb="patch", resource="secrets", user_agent="late", seconds=1.0, times=1
        )
    )
    with ThreadPoolExecutor(1) as other:
        looking = other.submit(late.keeper.look)
        eventually(lambda: cluster.server.faults.hits(FaultKind.LATENCY))
        quick.keeper.look()
        with pytest.raises(ConflictError):
            looking.result()
    assert late.served == []

    late.keeper.look()
    assert late.served == quick.served


def test_without_the_objects_it_is_told_and_nothing_served(cluster):
    cluster.client.delete(SECRETS, NAME, "kube-system")
    replica = cluster.replica()
    with pytest.raises(NotFoundError):
        replica.keeper.look()
    assert replica.served == []


@pytest.mark.parametrize("status", [404, 403])
def test_who_has_not_applied_the_objects_or_their_rights_is_told_where_they_are(cluster, caplog, status):
    cluster.server.inject(Fault(kind=FaultKind.STATUS, verb="get", resource="secrets", code=status))
    replica = cluster.replica()

    replica.keeper.start()

    advice = "apply deploy/components/admission, or leave --admission-webhook out"
    eventually(lambda: advice in caplog.text)
    assert replica.served == []


def test_it_ends_at_once(cluster):
    replica = cluster.replica()
    replica.keeper.start()
    started = time.monotonic()
    replica.keeper.stop()
    assert time.monotonic() - started < 5
    assert not [t for t in threading.enumerate() if t.name == "admission-certificate"]


def test_a_certificate_that_could_not_be_served_is_served_by_the_next_look(cluster):
    replica = cluster.replica()
    replica.defects.append(ssl.SSLError("no memory for a context"))
    replica.keeper.start()

    deadline = time.monotonic() + 10
    while not replica.served:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert replica.defects == []


def test_it_shows_for_how_long_the_certificate_that_is_served_is_good(cluster):
    replica = cluster.replica()
    assert list(replica.keeper.metrics()) == []
    replica.keeper.look()

    (metric,) = replica.keeper.metrics()

    assert metric.samples[()] == pytest.approx(365 * DAY, abs=60)
    replica.now += 300 * DAY
    (metric,) = replica.keeper.metrics()
    assert metric.samples[()] == pytest.approx(65 * DAY, abs=60)
