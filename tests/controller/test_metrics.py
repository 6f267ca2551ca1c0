"""The metrics of a replica."""

import time
from functools import partial

import pytest

from ipamd import metrics
from ipamd.core import tags
from ipamd.core.claim.reason import Reason
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.kubernetes import cluster_settings
from ipamd.core.model import EipOrder
from ipamd.kube.resources import CONFIGMAPS, EIPPOOLS
from simulator.kube import Fault, FaultKind
from tests.controller.replica import CLUSTER


@pytest.fixture
def counted():
    counted = metrics.begin("tke-eni-ipamd")
    yield counted
    counted.close()


def test_claims_are_counted_by_phase_and_the_leader_is_known(world, counted):
    replica = world.new_controller()
    counted.show(replica.leader.metrics)
    value = counted.registry.get_sample_value
    assert value("tke_eni_leader") == 0

    replica.start()
    world.create_pod("web-0")
    world.wait_provisioned("web-0")

    world.wait(lambda: value("tke_eni_claims", {"phase": "Provisioned"}) == 1)
    assert value("tke_eni_claims", {"phase": "Failed"}) == 0
    assert value("tke_eni_leader") == 1
    world.wait(lambda: value("tke_eni_work_queue_length") == 0)


def test_a_bind_that_is_refused_is_shown_with_its_reason_for_as_long_as_it_is(world, counted):
    replica = world.new_controller()
    counted.show(replica.leader.metrics)
    value = counted.registry.get_sample_value
    replica.start()
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    refused = {"step": "bind", "reason": "PermissionDenied"}

    world.refuse_bind("web-0", Reason.PERMISSION_DENIED)

    world.wait(lambda: value("tke_eni_claims_not_ready", refused) == 1)
    before = value("tke_eni_claims_not_ready_seconds", refused)
    world.elapsed += 3600
    assert value("tke_eni_claims_not_ready_seconds", refused) >= before + 3600
    world.remove_pod("web-0")
    world.wait(lambda: value("tke_eni_claims_not_ready", refused) is None)


def test_a_pool_that_is_not_ready_is_shown_with_its_reason_for_as_long_as_it_is(world, counted):
    replica = world.start_controller()
    counted.show(replica.leader.metrics)
    value = counted.registry.get_sample_value
    there = replica.cloud.allocate_eip(EipOrder(), {}, "token").eip_id

    wrong = {"metadata": {"name": "web"}, "spec": {"addressIDs": ["eip-00000000"]}}
    world.client.create(EIPPOOLS, wrong)
    reason = {"pool": "web", "reason": "EIPNotFound"}
    world.wait(lambda: value("tke_eni_eip_pool_problem", reason) == 1)

    world.client.patch(EIPPOOLS, "web", {"spec": {"addressIDs": [there]}})
    world.wait(lambda: value("tke_eni_eip_pool_problem", reason) is None)
    assert value("tke_eni_eip_pool_eips", {"pool": "web", "state": "free"}) == 1


def test_the_sweep_is_counted(world, counted):
    terms = SweepTerms(mode=SweepMode.RELEASE, interval=0.1, age=1.5)
    replica = world.start_controller(sweep=terms)
    counted.show(replica.leader.metrics)
    value = counted.registry.get_sample_value
    replica.cloud.allocate_eip(EipOrder(), tags.of_claim(CLUSTER, "gone"), "token")

    world.wait(lambda: value("tke_eni_orphaned_eips", {"state": "waiting"}) == 1)
    world.wait(lambda: value("tke_eni_orphaned_eips_released_total") == 1)
    world.wait(lambda: value("tke_eni_orphaned_eips", {"state": "unused"}) == 0)
    assert value("tke_eni_sweeps_total") > 1
    assert value("tke_eni_sweeps_failed_total") == 0
    assert value("tke_eni_releases_stopped") == 0


def test_releases_are_shown_as_stopped_while_a_claim_s_are(world, counted):
    replica = world.start_controller(sweep=SweepTerms(interval=0.1))
    counted.show(replica.leader.metrics)
    stopped = partial(counted.registry.get_sample_value, "tke_eni_releases_stopped")
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    world.wait(lambda: counted.registry.get_sample_value("tke_eni_sweeps_total") > 0)
    assert stopped() == 0

    settings = {"metadata": {"name": cluster_settings.CONFIG_MAP, "namespace": cluster_settings.NAMESPACE}}
    world.client.create(CONFIGMAPS, {**settings, "data": {cluster_settings.RELEASES: "stopped"}})
    world.remove_pod("web-0")

    world.wait(lambda: world.events("ReleasesStopped"))
    world.wait(lambda: stopped() == 1)
    world.client.delete(CONFIGMAPS, cluster_settings.CONFIG_MAP, cluster_settings.NAMESPACE)
    world.wait(lambda: stopped() == 0)


def test_releases_are_shown_as_stopped_while_the_switch_cannot_be_read_and_passes_go_on(world, counted):
    replica = world.new_controller(sweep=SweepTerms(interval=0.1))
    counted.show(replica.leader.metrics)
    value = counted.registry.get_sample_value
    denied = world.kube.inject(
        Fault(kind=FaultKind.STATUS, verb="get", resource="configmaps", code=403, user_agent=replica.name)
    )

    replica.start()

    world.wait(lambda: value("tke_eni_releases_stopped") == 1)
    world.wait(lambda: value("tke_eni_sweeps_total") > 3)
    assert value("tke_eni_sweeps_failed_total") == 0
    world.kube.heal(denied)
    world.wait(lambda: value("tke_eni_releases_stopped") == 0)


def test_quotas_of_the_account_are_shown_by_the_leader(world, counted):
    replica = world.new_controller()
    counted.show(replica.leader.metrics)
    value = counted.registry.get_sample_value
    total = {"quota": "TOTAL_EIP_QUOTA"}
    assert value("tke_eni_eip_quota_limit", total) is None
    replica.cloud.allocate_eip(EipOrder(), tags.of_claim(CLUSTER, "gone"), "token")

    replica.start()

    world.wait(lambda: value("tke_eni_eip_quota_used", total) == 1)
    assert value("tke_eni_eip_quota_limit", total) == world.region.config.quotas.total_eips
    assert value("tke_eni_eip_quota_used", {"quota": "DAILY_EIP_APPLY"}) == 1
    world.wait(lambda: value("tke_eni_eip_tag_values_used") == 1)


def test_a_role_that_may_not_read_quotas_costs_only_the_metric(world, counted):
    world.region.accounts.set_policy("demo", deny=("*:DescribeAddressQuota",))
    replica = world.start_controller()
    counted.show(replica.leader.metrics)

    world.create_pod("web-0")

    assert world.wait_provisioned("web-0").address is not None
    assert counted.registry.get_sample_value("tke_eni_eip_quota_limit", {"quota": "TOTAL_EIP_QUOTA"}) is None


def test_a_clock_that_is_not_believed_is_shown(world, counted):
    replica = world.start_controller(clock=lambda: time.time() + 3600)
    counted.show(replica.leader.metrics)
    value = counted.registry.get_sample_value
    world.create_pod("web-0", {"eip-attributes": ""}, never=True)
    world.wait_provisioned("web-0")
    assert value("tke_eni_clock_doubted", {"reason": "apart"}) == 0

    world.remove_pod("web-0")

    world.wait(lambda: value("tke_eni_clock_doubted", {"reason": "apart"}) == 1)
    assert value("tke_eni_clock_doubted", {"reason": "unknown"}) == 0


def test_a_replica_that_has_made_no_pass_shows_nothing_but_noughts(world):
    replica = world.new_controller()

    shown = {metric.name: set(metric.samples.values()) for metric in replica.leader.metrics()}

    assert {"tke_eni_sweeps", "tke_eni_orphaned_eips", "tke_eni_eips_locked"} <= shown.keys()
    assert {name for name, values in shown.items() if values - {0}} == set()
