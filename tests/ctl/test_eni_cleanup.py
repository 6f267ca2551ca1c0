"""`ipamctl eni cleanup` over the wire: the SDK's requests to a simulated region, and what is left in it."""

import json
import time

import jsonschema
import pytest

from ipamd.core import tags
from ipamd.core.model import EipStatus, EniOrder, ReservationOrder
from ipamd.core.timing.deadline import Deadline
from ipamd.ctl.__main__ import main
from tests.ctl.account import CLUSTER
from tests.ctl.test_eip_cleanup import account, rate_limits
from tests.docs.project import DOCS
from tests.vpc_console import VpcConsole

SCHEMA = json.loads((DOCS / "ipamctl-schema/eni-cleanup.json").read_text())
__all__ = ("account", "rate_limits")


class Nodes:
    """What a cluster has made for its nodes, and the command that an operator types."""

    def __init__(self, account):
        self.account = account

    def eni(self, cluster_id=CLUSTER, **more):
        """An ENI that our agent made for a CVM."""
        found = self.account.eni(tags={tags.CLUSTER_ID: cluster_id, **more})
        return found.eni_id, found

    def left(self):
        assert self.account.region.wait_idle(60)
        enis = self.account.region.snapshot()["enis"]
        return {eni_id for eni_id, eni in enis.items() if not eni["primary"]}

    def cleanup(self, *arguments):
        common = [f"--cluster-id={CLUSTER}", "--region=ap-guangzhou", "--wait=20s"]
        return main(["eni", "cleanup", *common, f"--cloud-endpoint={self.account.url}", *arguments])


@pytest.fixture
def nodes(account):
    return Nodes(account)


def shown(capsys):
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, SCHEMA, format_checker=jsonschema.FormatChecker())
    return {eni["eniId"]: eni for eni in answer["enis"]}


def test_without_yes_nothing_is_changed_and_everything_is_told(nodes, capsys):
    eni_id, found = nodes.eni()
    before = len(nodes.account.writes())

    assert nodes.cleanup("-o", "json") == 0

    [row] = shown(capsys).values()
    assert (row["eniId"], row["attachedTo"], row["action"]) == (eni_id, found.instance_id, "keep: attached")
    assert len(nodes.account.writes()) == before


def test_what_is_attached_goes_only_when_somebody_says_so(nodes, capsys):
    attached, _ = nodes.eni()
    other, _ = nodes.eni("cls-other")

    assert nodes.cleanup("--yes") == 0
    assert nodes.left() == {attached, other}
    capsys.readouterr()

    assert nodes.cleanup("--yes", "--detach", "-o", "json") == 0
    assert nodes.left() == {other}
    assert {eni_id: row["result"] for eni_id, row in shown(capsys).items()} == {attached: "deleted"}
    assert nodes.cleanup("--yes", "--detach") == 0


def test_what_a_dead_node_has_left_goes_without_a_question(nodes):
    _, found = nodes.eni()
    nodes.account.region.terminate_instance(found.instance_id)
    kept, _ = nodes.eni()

    assert nodes.cleanup("--yes") == 0

    assert nodes.left() == {kept}


def test_an_eip_that_is_bound_there_is_unbound_and_stays_in_the_account(nodes):
    eip_id = nodes.account.allocate({"team": "a"})
    _, found = nodes.eni()
    nodes.account.bind(eip_id, found)

    assert nodes.cleanup("--yes", "--detach") == 0

    assert nodes.left() == set()
    assert nodes.account.status(eip_id) == "UNBIND"


def test_an_eni_without_our_tag_of_the_node_is_nobody_s_business(nodes):
    """TKE tags its own ENIs with the cluster's id as well."""
    _, found = nodes.eni()
    console = VpcConsole(nodes.account.url)
    console.attach_eni(found.instance_id, found.vpc_id, found.subnet_id, **{tags.CLUSTER_ID: CLUSTER})
    before = nodes.left()

    assert nodes.cleanup("--yes", "--detach") == 0

    assert nodes.left() == before - {found.eni_id}
    assert len(before) == 2


def test_reserved_addresses_go_only_when_somebody_says_so_and_not_from_an_eni(nodes, capsys):
    eni_id, _ = nodes.eni()
    cloud = nodes.account.cloud
    kept, used = (reserve(cloud, ip, f"uid-{ip}") for ip in ("10.0.1.77", "10.0.1.78"))
    cloud.assign_named_ip(eni_id, "10.0.1.78", "", "assign", Deadline.after(20.0, time.monotonic))

    assert nodes.cleanup("--yes", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["reservations"] == []
    assert nodes.cleanup("--reservations", "-o", "json") == 0
    rows = {one["reservationId"]: one["action"] for one in reservations(capsys)}
    assert rows == {kept: "release", used: "keep: at an ENI"}

    assert nodes.cleanup("--yes", "--reservations", "-o", "json") == 0
    assert {one["reservationId"]: one["result"] for one in reservations(capsys)} == {
        kept: "released",
        used: "",
    }
    assert nodes.cleanup("--yes", "--detach", "--reservations", "-o", "json") == 0
    assert {one["reservationId"]: one["result"] for one in reservations(capsys)} == {used: "released"}
    assert cloud.describe_reservations(tags={tags.CLUSTER_ID: CLUSTER}) == []


def reserve(cloud, ip, uid):
    order = ReservationOrder(
        vpc_id="vpc-demo0001",
        subnet_id="subnet-demo0001",
        ip=ip,
        tags=tags.of_vpc_ip_claim(CLUSTER, uid),
    )
    return cloud.reserve_ip(order, uid).reservation_id


def test_an_eni_that_is_kept_for_a_pod_goes_with_the_reservations_and_its_eip_stays(nodes, capsys):
    order = EniOrder(
        vpc_id="vpc-demo0001",
        subnet_id="subnet-demo0001",
        name="kept",
        tags=tags.of_vpc_ip_claim(CLUSTER, "claim-1"),
    )
    kept = nodes.account.cloud.create_eni(order, "token", Deadline.after(20, time.monotonic))
    eip_id = nodes.account.allocate()
    nodes.account.cloud.associate_eip(eip_id, kept.eni_id, kept.primary_ip)
    assert nodes.account.region.wait_idle(60)

    assert nodes.cleanup("--yes") == 0
    assert nodes.left() == {kept.eni_id}
    capsys.readouterr()
    assert nodes.cleanup("--yes", "--reservations", "-o", "json") == 0

    [row] = shown(capsys).values()
    assert (row["madeFor"], row["result"]) == ("claim-1", "deleted")
    assert nodes.left() == set()
    assert nodes.account.cloud.describe_eip(eip_id).status is EipStatus.UNBIND


def reservations(capsys):
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, SCHEMA, format_checker=jsonschema.FormatChecker())
    return answer["reservations"]


def test_where_nothing_can_be_reserved_the_enis_go_all_the_same(nodes, capsys):
    nodes.eni()
    nodes.account.region.set_reservation_rules(offered=False)

    assert nodes.cleanup("--yes", "--detach", "--reservations") == 0

    assert nodes.left() == set()
    assert "reserved addresses were not looked for" in capsys.readouterr().err
