"""`ipamctl eip adopt` over the wire: what TKE has kept, into a pool or claims of a simulated cluster."""

import json

import jsonschema
import pytest

from ipamd.core import tags
from ipamd.core.claim import eipclaim
from ipamd.ctl.__main__ import main
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.resources import EIPCLAIMS, EIPPOOLS
from simulator.cloud import CloudRegion, CloudServer, Latencies, RateLimits, RegionConfig, loopback_socket
from simulator.kube import KubeServer, Store, listen
from tests.ctl.account import Account
from tests.docs.project import DOCS

SCHEMA = json.loads((DOCS / "ipamctl-schema/eip-adopt.json").read_text())
CLUSTER = "cls-moved"
KEPT = tags.of_cluster(CLUSTER)


class Cluster:
    """The cluster that takes the EIPs, and the command."""

    def __init__(self, server, account, kubeconfig):
        self.account = account
        self.client = KubeClient(Connection(server=server.url), component="test")
        self.kubeconfig = kubeconfig

    def adopt(self, *arguments):
        return main(
            [
                *("eip", "adopt", f"--cluster-id={CLUSTER}", "--region=ap-guangzhou"),
                *(f"--cloud-endpoint={self.account.url}", f"--kubeconfig={self.kubeconfig}"),
                *arguments,
            ]
        )

    def pools(self):
        return {p["metadata"]["name"]: p["spec"] for p in self.client.list(EIPPOOLS).items}

    def claims(self):
        return {c["metadata"]["name"]: c for c in self.client.list(EIPCLAIMS).items}


@pytest.fixture
def account(monkeypatch):
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDdemo")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "demo-secret-key")
    config = RegionConfig(latencies=Latencies(scale=0.3), rate_limits=RateLimits(enabled=False))
    with CloudRegion(config) as region, CloudServer(region, [loopback_socket()]) as server:
        account = Account(region, f"http://{server.endpoint}")
        yield account
        account.cloud.close()


@pytest.fixture
def cluster(account, tmp_path):
    with KubeServer(Store(), [listen()]) as server:
        path = tmp_path / "kubeconfig"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path.write_text(json.dumps(document))
        cluster = Cluster(server, account, path)
        yield cluster
        cluster.client.close()


def shown(capsys):
    """The JSON answer: EIP id to what is said of it."""
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, SCHEMA)
    return {eip["eipId"]: eip for eip in answer["eips"]}


def test_without_yes_nothing_is_changed_and_everything_is_told(account, cluster, capsys):
    kept, bound = account.allocate(KEPT), account.allocate(KEPT)
    account.bind(bound, account.eni())
    account.allocate({"team": "a"})
    account.allocate(tags.of_claim(CLUSTER, "uid-1"))
    account.allocate(tags.of_cluster("cls-other"))
    before = len(account.writes())

    assert cluster.adopt("--pool=kept", "-o", "json") == 1

    said = shown(capsys)
    assert {eip_id: row["action"] for eip_id, row in said.items()} == {kept: "adopt", bound: "refused: bound"}
    assert said[kept]["target"] == "EIPPool kept"
    assert "delete its Pod, or unbind it" in said[bound]["message"]
    assert cluster.pools() == {}
    assert len(account.writes()) == before


def test_all_that_tke_has_kept_goes_into_a_pool_and_nothing_twice(account, cluster, capsys):
    first = account.allocate(KEPT)
    assert cluster.adopt("--pool=kept", "--yes") == 0
    second = account.allocate(KEPT)

    assert cluster.adopt("--pool=kept", "--yes", "-o", "json") == 1

    assert cluster.pools() == {"kept": {"addressIDs": [first, second]}}
    assert capsys.readouterr().err.endswith("1 taken over, 1 refused.\n")
    assert cluster.adopt("--pool=kept", "-o", "json") == 1
    assert {row["message"] for row in shown(capsys).values()} == {"EIPPool kept has it"}


def test_named_eips_that_are_not_free_for_the_taking_are_refused_each_with_its_reason(
    account, cluster, capsys
):
    others = account.allocate(tags.of_cluster("cls-other"))
    ours = account.allocate(tags.of_claim(CLUSTER, "uid-1"))
    pools = account.allocate(tags.of_pool(CLUSTER, "uid-2"))
    blocked, users = account.allocate(KEPT), account.allocate({})
    account.region.set_eip_condition(blocked, blocked=True)
    wanted = (others, ours, pools, blocked, users, "eip-00000000")

    assert cluster.adopt("--pool=kept", f"--eip={','.join(wanted)}", "--yes", "-o", "json") == 1

    actions = {eip_id: row["action"] for eip_id, row in shown(capsys).items()}
    assert actions == {
        others: "refused: of another cluster",
        ours: "refused: created by tke-eni",
        pools: "refused: created by tke-eni",
        blocked: "refused: of no use",
        users: "adopt",
        "eip-00000000": "refused: does not exist",
    }
    assert cluster.pools() == {"kept": {"addressIDs": [users]}}


def test_one_for_each_pod_becomes_a_claim_that_waits_for_it(account, cluster):
    first, second = account.allocate(KEPT), account.allocate(KEPT)

    pairs = (f"--claim=default/web-0={first}", f"--claim=default/web-1={second}")
    assert cluster.adopt(*pairs, "--yes") == 0

    claims = cluster.claims()
    assert {name: claim["spec"] for name, claim in claims.items()} == {
        "web-0": {"addressIDs": [first], "deletePolicy": "Never"},
        "web-1": {"addressIDs": [second], "deletePolicy": "Never"},
    }
    assert all(eipclaim.read(claim).adopts for claim in claims.values())


def test_a_pod_that_has_a_claim_keeps_no_other_from_its_eip(account, cluster, capsys):
    first, second = account.allocate(KEPT), account.allocate(KEPT)
    taken = {"metadata": {"name": "web-0", "namespace": "default"}, "spec": {"addressIDs": ["eip-00000000"]}}
    cluster.client.create(EIPCLAIMS, taken)

    pairs = (f"--claim=default/web-0={first}", f"--claim=default/web-1={second}")
    assert cluster.adopt(*pairs, "--yes", "-o", "json") == 1

    rows = shown(capsys)
    assert rows[first]["message"].startswith("there is an EIPClaim default/web-0 already: delete it first")
    assert rows[second]["action"] == "adopt"
    assert cluster.claims()["web-1"]["spec"]["addressIDs"] == [second]


def test_what_waits_for_its_pod_in_a_claim_goes_into_no_pool(account, cluster, capsys):
    first, second = account.allocate(KEPT), account.allocate(KEPT)
    assert cluster.adopt(f"--claim=default/web-0={first}", "--yes") == 0
    capsys.readouterr()

    assert cluster.adopt("--pool=kept", "--yes", "-o", "json") == 1

    assert cluster.pools() == {"kept": {"addressIDs": [second]}}
    assert shown(capsys)[first]["message"] == "EIPClaim default/web-0 has it"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give one of --pool NAME and --claim"),
        (["--pool=a", "--claim=default/web-0=eip-1a2b3c4d"], "give one of --pool NAME and --claim"),
        (["--pool=A"], "allowed is the name of an EIPPool"),
        (["--claim=web-0=eip-1a2b3c4d"], "allowed is NAMESPACE/POD=EIP"),
        (["--claim=default/web-0=eip-1"], 'entry 1 is "eip-1"'),
        (["--claim=default/a=eip-1a2b3c4d", "--claim=default/a=eip-2a2b3c4d"], "each Pod and each EIP once"),
        (["--claim=default/a=eip-1a2b3c4d", "--eip=eip-1a2b3c4d"], "--eip is for --pool"),
    ],
)
def test_wrong_flags_are_refused_with_what_is_allowed(cluster, capsys, arguments, said):
    assert cluster.adopt(*arguments) == 2
    assert said in capsys.readouterr().err


def test_a_pool_of_another_kind_takes_none(account, cluster, capsys):
    account.allocate(KEPT)
    spec = {"selector": {"tags": {"team": "a"}}}
    cluster.client.create(EIPPOOLS, {"metadata": {"name": "kept"}, "spec": spec})

    assert cluster.adopt("--pool=kept", "--yes") == 2
    assert "has no spec.addressIDs to add to" in capsys.readouterr().err
