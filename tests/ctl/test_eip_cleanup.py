"""`ipamctl eip cleanup` over the wire: the SDK's requests to a simulated region, and what is left in it."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jsonschema
import pytest

from ipamd.core import tags
from ipamd.ctl.__main__ import main
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.errors import NotFoundError
from ipamd.kube.resources import CONFIGMAPS, EIPCLAIMS, EIPPOOLS
from simulator.cloud import (
    CloudRegion,
    CloudServer,
    Fault,
    FaultKind,
    Latencies,
    RateLimits,
    RegionConfig,
    loopback_socket,
)
from simulator.cloud.config import Quotas
from simulator.kube import Fault as KubeFault
from simulator.kube import FaultKind as KubeFaultKind
from simulator.kube import KubeServer, Store, listen
from tests.ctl.account import CLUSTER, Account
from tests.docs.project import DOCS

SCHEMA = json.loads((DOCS / "ipamctl-schema/eip-cleanup.json").read_text())


@pytest.fixture
def rate_limits():
    return RateLimits(enabled=False)


@pytest.fixture
def account(rate_limits, monkeypatch):
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDdemo")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "demo-secret-key")
    config = RegionConfig(
        latencies=Latencies(scale=0.3),
        rate_limits=rate_limits,
        quotas=Quotas(total_eips=200, daily_eip_applications=400),
    )
    with CloudRegion(config) as region, CloudServer(region, [loopback_socket()]) as server:
        account = Account(region, f"http://{server.endpoint}")
        yield account
        account.cloud.close()


def shown(capsys):
    """The JSON answer: EIP id to what is said of it."""
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, SCHEMA, format_checker=jsonschema.FormatChecker())
    return {eip["eipId"]: eip for eip in answer["eips"]}


def test_without_yes_nothing_is_changed_and_everything_is_told(account, capsys):
    eip_id, bound_id = account.allocate(), account.allocate()
    account.allocate({"team": "a"})
    eni = account.eni()
    account.bind(bound_id, eni)
    before = len(account.writes())

    assert account.cleanup("-o", "wide") == 0

    printed = capsys.readouterr()
    head, *lines = printed.out.splitlines()
    assert head.split() == [
        *("EIP", "PUBLIC-IP", "STATE", "BOUND-TO", "CLAIM", "CLAIM-UID", "AGE", "ACTION", "RESULT")
    ]
    row = {line.split()[0]: line for line in lines}
    assert row.keys() == {eip_id, bound_id}
    assert "uid-1" in row[eip_id]
    assert "release" in row[eip_id]
    assert eni.eni_id in row[bound_id]
    assert "keep: in use" in row[bound_id]
    assert "1 of 2 EIPs would be released" in printed.err
    assert len(account.writes()) == before


def test_with_yes_all_that_the_tags_own_goes_and_nothing_else(account, capsys):
    ours = {account.allocate() for _ in range(12)}
    foreign = {
        account.allocate({"team": "a"}),
        account.allocate(tags.of_claim("cls-other", "uid-x")),
        account.allocate({tags.CLUSTER_ID: CLUSTER}),
    }

    assert account.cleanup("--yes", "-o", "json") == 0

    assert account.left() == foreign
    answer = shown(capsys)
    assert answer.keys() == ours
    assert {eip["result"] for eip in answer.values()} == {"released"}
    assert "DisassociateAddress" not in account.writes()


def test_a_cluster_that_may_be_alive_is_not_touched(account, capsys):
    retained, bound_id = account.allocate(), account.allocate()
    account.bind(bound_id, account.eni())

    assert account.cleanup("--yes") == 1

    assert account.left() == {retained, bound_id}
    said = capsys.readouterr().err
    assert bound_id in said
    for option in ("--unbind", "--keep-bound", "--kubeconfig"):
        assert option in said


def test_keep_bound_takes_the_others(account):
    bound_id = account.allocate()
    account.allocate()
    account.bind(bound_id, account.eni())

    assert account.cleanup("--yes", "--keep-bound") == 0

    assert account.left() == {bound_id}
    assert account.status(bound_id) == "BIND"


def test_what_tkes_component_has_created_stays_bound_or_not_when_told_so(account):
    free, in_use = account.allocate(tags.of_cluster(CLUSTER)), account.allocate(tags.of_cluster(CLUSTER))
    account.bind(in_use, account.eni())
    account.allocate()

    assert account.cleanup("--yes", "--unbind", "--keep-tke") == 0

    assert account.left() == {free, in_use}
    assert account.status(in_use) == "BIND"


def test_unbind_takes_those_that_are_bound_and_no_stranger_beside_them(account):
    eni = account.eni()
    users = account.allocate({"team": "a"})
    for number, eip_id in enumerate([users, account.allocate(), account.allocate()]):
        account.bind(eip_id, eni, number)

    assert account.cleanup("--yes", "--unbind") == 0

    assert account.left() == {users}
    assert account.status(users) == "BIND"


def test_throttled_lost_and_doubtful_answers_release_everything_all_the_same(account, capsys):
    for _ in range(6):
        account.allocate()
    for fault in (
        Fault(kind=FaultKind.THROTTLE, action="ReleaseAddresses", count=3),
        Fault(kind=FaultKind.THROTTLE, action="DescribeAddresses", count=3),
        Fault(kind=FaultKind.TIMEOUT_AFTER, action="ReleaseAddresses", count=2),
        Fault(kind=FaultKind.HTTP_500, action="ReleaseAddresses", count=2),
    ):
        account.region.faults.add(fault)

    assert account.cleanup("--yes", "-o", "json") == 0

    assert account.left() == set()
    assert {eip["result"] for eip in shown(capsys).values()} == {"released"}


@pytest.mark.parametrize("rate_limits", [RateLimits()])
def test_releases_keep_to_the_accounts_rate(account):
    """At 10 a second for the whole account a release that came too soon would be refused, and be audited."""
    for _ in range(20):
        account.allocate()

    assert account.cleanup("--yes") == 0

    assert account.left() == set()
    releases = [e for e in account.region.audit.writes() if e.action == "ReleaseAddresses"]
    assert [entry.code for entry in releases] == [""] * 20


@pytest.mark.parametrize("old_looks", [1, 2])
def test_an_eip_that_is_bound_after_it_was_listed_stays_bound(account, capsys, old_looks):
    """The listing, and then also the look before the release, show the EIP as it was before the bind."""
    eip_id = account.allocate()
    eni = account.eni()
    account.region.faults.add(
        Fault(kind=FaultKind.STALE_READ, action="DescribeAddresses", seconds=60, count=old_looks)
    )
    account.bind(eip_id, eni)

    assert account.cleanup("--yes", "-o", "json") == 1

    assert account.status(eip_id) == "BIND"
    assert "bound meanwhile" in shown(capsys)[eip_id]["message"]
    assert "DisassociateAddress" not in account.writes()


def test_an_eip_that_moves_after_it_was_listed_is_not_unbound(account, capsys):
    eip_id = account.allocate()
    eni = account.eni()
    account.bind(eip_id, eni, 0)
    account.region.faults.add(
        Fault(kind=FaultKind.STALE_READ, action="DescribeAddresses", seconds=60, count=1)
    )
    account.cloud.disassociate_eip(eip_id)
    assert account.region.wait_idle(60)
    account.bind(eip_id, eni, 1)

    assert account.cleanup("--yes", "--unbind", "-o", "json") == 1

    assert account.status(eip_id) == "BIND"
    assert "bound meanwhile" in shown(capsys)[eip_id]["message"]


def test_an_eip_that_is_new_after_the_listing_fails_the_run(account, capsys):
    account.region.faults.add(
        Fault(kind=FaultKind.STALE_READ, action="DescribeAddresses", seconds=60, count=1)
    )
    account.allocate()

    assert account.cleanup("--yes") == 1

    assert "does a controller of the cluster still run?" in capsys.readouterr().err


def test_without_permission_nothing_goes_and_the_policy_is_named(account, capsys):
    account.allocate()
    account.region.faults.add(
        Fault(
            kind=FaultKind.ERROR,
            action="DescribeAddresses",
            code="UnauthorizedOperation",
            message="not allowed to perform operation (cvm:DescribeAddresses)",
            count=None,
        )
    )

    assert account.cleanup("--yes") == 1

    said = capsys.readouterr().err
    assert "nothing was released" in said
    assert "QcloudAccessForIPAMDRoleInQcloudAllocateEIP" in said
    assert len(account.left()) == 1


class TestWithTheCluster:
    """The cluster still answers: its claims say what is in use."""

    @pytest.fixture
    def kube(self):
        with KubeServer(Store(), [listen()]) as server:
            yield server

    @pytest.fixture
    def kubeconfig(self, kube, tmp_path):
        path = tmp_path / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": kube.url}}],
                    "users": [{"name": "u", "user": {}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )
        return f"--kubeconfig={path}"

    @pytest.fixture
    def claim(self, kube):
        client = KubeClient(Connection(server=kube.url), component="test")
        body = {"metadata": {"namespace": "default", "name": "web-0"}, "spec": {}}
        yield client.create(EIPCLAIMS, body)
        client.close()

    @pytest.fixture
    def settings(self, kube):
        """Writes the ConfigMap of the cluster's settings."""
        client = KubeClient(Connection(server=kube.url), component="test")
        metadata = {"namespace": "kube-system", "name": "tke-eni-settings"}

        def write(**data):
            try:
                client.patch(CONFIGMAPS, metadata["name"], {"data": data}, metadata["namespace"])
            except NotFoundError:
                client.create(CONFIGMAPS, {"metadata": metadata, "data": data})

        yield write
        client.close()

    def test_an_eip_that_a_claim_holds_is_kept_whatever_is_asked_for(
        self, account, claim, kubeconfig, capsys
    ):
        held = account.allocate(tags.of_claim(CLUSTER, claim["metadata"]["uid"]))
        orphan = account.allocate()
        account.bind(held, account.eni())

        assert account.cleanup("--yes", "--unbind", kubeconfig, "-o", "json") == 0

        assert account.left() == {held}
        assert account.status(held) == "BIND"
        answer = shown(capsys)
        assert (answer[held]["claim"], answer[held]["action"]) == ("default/web-0", "keep: claimed")
        assert answer[orphan]["result"] == "released"

    def test_an_eip_that_a_pool_selects_is_kept(self, account, kube, claim, kubeconfig, capsys):
        selected = account.allocate({**tags.of_cluster(CLUSTER), "team": "web"})
        orphan = account.allocate()
        client = KubeClient(Connection(server=kube.url), component="test")
        pool = {"metadata": {"name": "kept"}, "spec": {"selector": {"tags": {"team": "web"}}}}
        client.create(EIPPOOLS, pool)
        client.close()

        assert account.cleanup("--yes", kubeconfig, "-o", "json") == 0

        assert account.left() == {selected}
        assert (shown(capsys)[selected]["claim"], orphan in account.left()) == ("EIPPool kept", False)

    def test_a_cluster_without_eipclaims_cannot_be_the_one_and_stops_everything(
        self, account, kube, kubeconfig, capsys
    ):
        eip_id = account.allocate()
        kube.faults.add(KubeFault(kind=KubeFaultKind.STATUS, verb="list", resource="eipclaims", code=404))

        assert account.cleanup("--yes", "--unbind", kubeconfig) == 2

        assert account.left() == {eip_id}
        assert "has no EIPClaims" in capsys.readouterr().err

    def test_the_kubeconfig_of_another_cluster_stops_everything(self, account, settings, kubeconfig, capsys):
        eip_id = account.allocate()
        settings(CLUSTER_ID="cls-other")

        assert account.cleanup("--yes", "--unbind", kubeconfig) == 2

        assert account.left() == {eip_id}
        assert "that is cluster cls-other, not cls-gone" in capsys.readouterr().err

    @pytest.mark.parametrize("value", ["stopped", "until Monday"])
    def test_while_the_cluster_s_switch_says_stop_nothing_goes(
        self, account, settings, kubeconfig, capsys, value
    ):
        eip_id = account.allocate()
        settings(CLUSTER_ID=CLUSTER, RELEASES=value)

        assert account.cleanup("--yes", "--unbind", kubeconfig) == 1

        assert account.left() == {eip_id}
        said = capsys.readouterr().err
        assert f"RELEASES in ConfigMap kube-system/tke-eni-settings is '{value}'" in said
        assert (
            """patch configmap tke-eni-settings --type merge -p '{"data":{"RELEASES":"allowed"}}'""" in said
        )

    def test_a_look_says_that_the_switch_would_refuse(self, account, settings, kubeconfig, capsys):
        account.allocate()
        settings(RELEASES="stopped")

        assert account.cleanup(kubeconfig) == 0

        said = capsys.readouterr().err
        assert "1 of 1 EIPs would be released." in said
        assert "--yes would be refused: RELEASES in ConfigMap" in said

    def test_a_look_does_not_need_the_switch(self, account, kube, kubeconfig, capsys):
        eip_id = account.allocate()
        kube.faults.add(KubeFault(kind=KubeFaultKind.STATUS, verb="get", resource="configmaps", code=403))

        assert account.cleanup(kubeconfig) == 0

        printed = capsys.readouterr()
        assert eip_id in printed.out
        assert "--yes would be refused: get ConfigMap kube-system/tke-eni-settings" in printed.err

    @pytest.mark.parametrize("code", [403, 500])
    def test_a_switch_that_cannot_be_read_is_no_permission(self, account, kube, kubeconfig, capsys, code):
        eip_id = account.allocate()
        kube.faults.add(KubeFault(kind=KubeFaultKind.STATUS, verb="get", resource="configmaps", code=code))

        assert account.cleanup("--yes", kubeconfig) == 1

        assert account.left() == {eip_id}
        assert "tke-eni-settings" in capsys.readouterr().err

    def test_a_switch_that_is_allowed_or_not_there_lets_them_go(self, account, settings, kubeconfig):
        for prepare in (lambda: None, settings, partial(settings, RELEASES="allowed")):
            account.allocate()
            prepare()
            assert account.cleanup("--yes", kubeconfig) == 0
            assert account.left() == set()

    def test_the_switch_is_asked_before_each_release(self, account, settings, kubeconfig, capsys):
        """It is turned while the cloud is slow about the first EIPs; the others stay."""
        ours = {account.allocate() for _ in range(24)}
        account.region.faults.add(
            Fault(kind=FaultKind.LATENCY, action="ReleaseAddresses", seconds=1.0, count=None)
        )
        with ThreadPoolExecutor(1) as elsewhere:
            run = elsewhere.submit(account.cleanup, "--yes", kubeconfig, "-o", "json")
            while "ReleaseAddresses" not in account.writes():
                assert not run.done()
                time.sleep(0.02)
            settings(RELEASES="stopped")
            assert run.result(60) == 1

        left = account.left()
        assert set() < left < ours
        answer = shown(capsys)
        assert {eip_id for eip_id in answer if answer[eip_id]["result"] == "left"} == left
        assert all("is 'stopped'" in answer[eip_id]["message"] for eip_id in left)

    def test_a_cluster_that_does_not_answer_stops_everything(self, account, kube, kubeconfig, capsys):
        eip_id = account.allocate()
        kube.close()

        assert account.cleanup("--yes", kubeconfig) == 1

        assert account.left() == {eip_id}
        assert "nothing was released" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--cluster-id="], "--cluster-id is not given"),
        (["--cluster-id=cls-1", "--region=Guangzhou"], "--region is 'Guangzhou'"),
        (["--cluster-id=cls-1", "--wait=soon"], "--wait"),
        (["--cluster-id=cls-1", "--region=ap-x", "--cloud-endpoint=ftp://x"], "ftp://x"),
    ],
)
def test_a_wrong_flag_is_named_and_nothing_is_asked(arguments, named, capsys, monkeypatch):
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDdemo")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "demo-secret-key")

    assert main(["eip", "cleanup", *arguments]) == 2

    assert named in capsys.readouterr().err
