"""What is counted of requests, and what it costs those who do not want it."""

import subprocess
import sys
import threading

import pytest

from ipamd import metrics
from ipamd.kube.errors import UnreachableError
from ipamd.runtime import failpoints, metric
from ipamd.runtime.defects import Survive
from ipamd.runtime.durations import DurationCounts
from ipamd.runtime.task import Task
from tests.testkit.eventually import eventually


@pytest.fixture
def counted():
    counted = metrics.begin("tke-eni-agent")
    yield counted
    counted.close()


def value(counted, name, **labels):
    return counted.registry.get_sample_value(name, labels)


def test_requests_to_the_cloud_are_counted_by_action_and_code(counted):
    for code in ("OK", "OK", "RequestLimitExceeded"):
        counted.cloud.observe("AssociateAddress", code, 0.2)

    assert value(counted, "tke_eni_cloud_requests_total", action="AssociateAddress", code="OK") == 2
    assert (
        value(counted, "tke_eni_cloud_requests_total", action="AssociateAddress", code="RequestLimitExceeded")
        == 1
    )
    assert value(counted, "tke_eni_cloud_request_seconds_sum", action="AssociateAddress") == pytest.approx(
        0.6
    )
    assert value(counted, "tke_eni_cloud_request_seconds_bucket", action="AssociateAddress", le="0.1") == 0
    assert value(counted, "tke_eni_cloud_request_seconds_bucket", action="AssociateAddress", le="0.25") == 3


def test_failures_are_counted_by_what_they_mean(counted):
    for code in ("OK", "UnauthorizedOperation", "UnauthorizedOperation.InvalidAccount", "ResourceBusy.New"):
        counted.cloud.observe("AssociateAddress", code, 0.2)

    kinds = {
        sample.labels["kind"]: sample.value
        for family in counted.registry.collect()
        for sample in family.samples
        if sample.name == "tke_eni_cloud_errors_total"
    }
    assert kinds == {"permission": 2, "busy": 1}


def test_a_services_values_are_shown_with_all_their_labels_and_buckets(counted):
    counts = DurationCounts([0.5, 1.0])
    counts.observe(0.7)
    counted.show(
        lambda: [
            metric.gauge_table("tke_eni_test_table", "A table.", ("a", "b"), {("x", "y"): 3}),
            metric.counter_table("tke_eni_test_counts", "Counts.", ("a", "b"), {("x", "y"): 4}),
            metric.histogram("tke_eni_test_seconds", "Durations.", counts.distribution()),
        ]
    )

    assert value(counted, "tke_eni_test_table", a="x", b="y") == 3
    assert value(counted, "tke_eni_test_counts_total", a="x", b="y") == 4
    assert value(counted, "tke_eni_test_seconds_bucket", le="0.5") == 0
    assert value(counted, "tke_eni_test_seconds_bucket", le="1.0") == 1
    assert value(counted, "tke_eni_test_seconds_bucket", le="+Inf") == 1
    assert value(counted, "tke_eni_test_seconds_sum") == 0.7


def test_requests_to_the_api_server_are_counted_also_without_an_answer(counted):
    with failpoints.failpoint("kube.patch.nodes.status"):
        pass
    with pytest.raises(UnreachableError), failpoints.failpoint("kube.patch.nodes.status"):
        raise UnreachableError("away")
    with failpoints.failpoint("netlink.newlink"):
        pass

    assert value(counted, "tke_eni_kube_request_seconds_count", request="patch.nodes.status") == 2
    assert value(counted, "tke_eni_kube_requests_unanswered_total", request="patch.nodes.status") == 1
    assert value(counted, "tke_eni_kube_request_seconds_count", request="newlink") is None


def test_defects_of_threads_are_counted_by_the_thread_and_shown_while_they_last(counted):
    outcomes, gate = [ValueError("oops")], threading.Event()

    def work():
        if outcomes:
            raise outcomes.pop()
        return not gate.wait(10)

    worker = Task("thread-of-a-test", work, policy=Survive())
    worker.start()
    eventually(lambda: value(counted, "tke_eni_loop_defects_total", loop="thread-of-a-test"))

    assert value(counted, "tke_eni_loop_failing", loop="thread-of-a-test") == 1
    gate.set()
    eventually(lambda: value(counted, "tke_eni_loop_failing", loop="thread-of-a-test") != 1)
    assert worker.stop(10)
    assert value(counted, "tke_eni_loop_defects_total", loop="thread-of-a-test") == 1


def test_nothing_is_counted_after_close(counted):
    counted.close()
    with failpoints.failpoint("kube.get.pods"):
        pass

    assert value(counted, "tke_eni_kube_request_seconds_count", request="get.pods") is None


def test_the_page_is_what_prometheus_reads(counted):
    page = counted.page()()

    assert page.status == 200
    assert page.content_type.startswith("text/plain; version=")
    assert b'tke_eni_build_info{component="tke-eni-agent",version="' in page.body
    assert b"process_resident_memory_bytes" in page.body


def test_no_counter_says_when_it_was_made(counted):
    counted.cloud.observe("AssociateAddress", "OK", 0.2)

    assert b"_created" not in counted.page()().body


@pytest.mark.parametrize("daemon", ["agent", "controller"])
def test_a_daemon_without_metrics_does_not_import_the_library(daemon):
    code = f"import sys, ipamd.{daemon}.command; sys.exit('prometheus_client' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_library_is_named_with_the_flag():
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from ipamd import metrics\n"
        "try: metrics.begin('x')\n"
        "except Exception as e: print(type(e).__name__, e)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert "InvalidInputError --metrics-address needs the Python package prometheus-client" in said
    assert "tke-eni[metrics]" in said
