"""A node that is configured while its agent runs: by what the controller has noted, and by TKE's annotations.

The tests are in the place of the controller, which writes the annotation `node-eni-config`.
"""

import json

import pytest

from ipamd.core.kubernetes import nodes
from testbed.probes import SourceReporter, seen_source
from tests.agent.conftest import AgentBed
from tests.vpc_console import VpcConsole

TKE = "tke.cloud.tencent.com/"
SUBNET = "subnet.tke.cloud.tencent.com/"
ZONE, OTHER_ZONE = "ap-guangzhou-3", "ap-guangzhou-4"
OPEN, CLOSED, SECOND = "sg-demo0001", "sg-closed01", "sg-second01"
PODS = {"use": "pods"}
REGION = {
    "vpc": {
        "subnets": [
            {"subnet_id": "subnet-demo0001", "cidr": "10.0.1.0/24", "zone": ZONE},
            {"subnet_id": "subnet-pods0001", "cidr": "10.0.2.0/28", "zone": ZONE, "tags": PODS},
            {"subnet_id": "subnet-pods0002", "cidr": "10.0.3.0/24", "zone": ZONE, "tags": PODS},
            {
                "subnet_id": "subnet-pods0003",
                "cidr": "10.0.4.0/23",
                "zone": OTHER_ZONE,
                "tags": {"use": "pods"},
            },
        ]
    },
    "security_groups": [
        {"security_group_id": OPEN},
        {"security_group_id": SECOND, "ingress": ["10.0.0.0/8"]},
        {"security_group_id": CLOSED, "ingress": []},
    ],
    "instance_types": [{"name": "S5.CFG", "cpu": 16, "memory_gib": 16, "enis": 4, "ips_per_eni": 6}],
    "instances": [
        {"instance_type": "S5.CFG", "public_ip": True, "subnet_id": "subnet-demo0001"},
        {"instance_type": "S5.CFG", "subnet_id": "subnet-demo0001"},
    ],
}


BOTH = frozenset({OPEN, SECOND})


class Node(AgentBed):
    def configure(self, source="NodeENIConfig test", **values):
        """What the controller notes."""
        self.annotate(
            {nodes.ENI_CONFIG: json.dumps({name: [value, source] for name, value in values.items()})}
        )

    def annotate(self, annotations):
        self.kube.merge_patch(f"/api/v1/nodes/{self.node.name}", {"metadata": {"annotations": annotations}})

    def noted(self):
        return self.workloads.node(self.node.name)["metadata"].get("annotations") or {}

    def state(self):
        return json.loads(self.noted().get(nodes.ENI_STATE, "{}"))

    def enis(self):
        return self.ctl("enis")["enis"]

    def secondary(self):
        enis = self.cloud.describe_enis(self.node.instance_id)
        return [eni for eni in enis if not eni.primary]

    def groups(self):
        return {eni.eni_id: eni.security_groups for eni in self.secondary()}

    def primary(self):
        return next(eni for eni in self.cloud.describe_enis(self.node.instance_id) if eni.primary)

    def settings(self):
        return {
            entry["flag"]: (entry["value"], entry["source"]) for entry in self.ctl("settings")["settings"]
        }


@pytest.fixture
def bed(tmp_path):
    with Node(tmp_path) as bed:
        bed.begin(
            "--ip-min-warm-target=2",
            "--ip-max-warm-target=2",
            "--enable-quick-release",
            region=REGION,
            warm=2,
        )
        yield bed


def test_warm_targets_change_without_a_restart_and_go_back(bed):
    bed.configure(minWarmTarget=4, maxWarmTarget=4)
    bed.eventually("there are four", lambda: bed.pool()["warm"] == 4)

    settings = bed.settings()
    assert settings["minWarmTarget"] == ("4", "NodeENIConfig test")
    assert settings["syncSecurityGroups"] == ("true", "default of --sync-security-groups")
    bed.eventually(
        "the Node says so", lambda: bed.state().get("values", {}).get("minWarmTarget", [0])[0] == 4
    )
    assert bed.state()["limit"] == 15

    bed.configure()
    bed.eventually("there are two again", lambda: bed.pool()["warm"] == 2)
    assert bed.settings()["minWarmTarget"] == ("2", "flag --ip-min-warm-target")


def test_an_annotation_of_the_node_is_over_what_the_controller_notes(bed):
    bed.configure(minWarmTarget=1, maxWarmTarget=1)
    bed.annotate({TKE + "route-eni-ip-min-warm-target": "3", TKE + "route-eni-ip-max-warm-target": "3"})
    bed.eventually("there are three", lambda: bed.pool()["warm"] == 3)

    bed.annotate({TKE + "desired-route-eni-pod-num": "7"})
    bed.eventually("there are seven in all", lambda: bed.pool()["total"] == 7)


def test_what_is_wrong_is_told_and_changes_nothing_also_over_a_restart(bed):
    bed.configure(minWarmTarget=3, maxWarmTarget=3)
    bed.eventually("there are three", lambda: bed.pool()["warm"] == 3)

    bed.annotate({TKE + "route-eni-ip-max-warm-target": "some"})

    def finding():
        found = [f for f in bed.ctl("check")["findings"] if f["code"] == "ConfigRefused"]
        return found[0]["text"] if found else ""

    bed.eventually("it is a finding", finding)
    assert f'Node, annotation {TKE}route-eni-ip-max-warm-target: maxWarmTarget is "some"' in finding()
    assert "allowed is a whole number from 0 to 1000" in finding()
    bed.eventually("the Node says so", lambda: "some" in bed.state().get("refused", ""))
    bed.stop(bed.agent)
    bed.start_again(warm=3)
    assert bed.pool()["minWarm"] == 3


def test_limits_are_kept_and_offered_and_nothing_is_taken_from_pods(bed):
    _, sandbox = bed.pod_and_sandbox("a")
    assert bed.call("add", sandbox)[0] == 0

    bed.configure(maxRouteENI=1, maxIPPerENI=4, minWarmTarget=9, maxWarmTarget=9)

    bed.eventually("all four are there", lambda: bed.pool()["total"] == 4)
    bed.eventually(
        "and offered",
        lambda: bed.workloads.node(bed.node.name)["status"]["allocatable"].get(TKE + "eni-ip") == "4",
    )
    assert len(bed.enis()) == 1
    assert "a" in bed.pods()


def test_a_disabled_node_offers_nothing_gives_back_and_keeps_running_pods(bed):
    _, sandbox = bed.pod_and_sandbox("a")
    code, result = bed.call("add", sandbox)
    assert code == 0

    bed.annotate({TKE + "disable-node-eni": "yes"})

    bed.eventually("only the Pod's address is left", lambda: bed.pool()["total"] == 1)
    bed.eventually(
        "no address is offered",
        lambda: bed.workloads.node(bed.node.name)["status"]["allocatable"].get(TKE + "eni-ip") == "0",
    )
    _, late = bed.pod_and_sandbox("b")
    code, refusal = bed.call("add", late)
    assert code != 0
    assert f"it is disabled by annotation {TKE}disable-node-eni" in refusal["msg"]
    with SourceReporter(sandbox.netns):
        ip = result["ips"][0]["address"].removesuffix("/32")
        assert (
            seen_source(bed.region["instances"][1]["netns"], ip) == bed.region["instances"][1]["private_ip"]
        )

    bed.annotate({TKE + "disable-node-eni": None})
    bed.eventually("there are warm ones again", lambda: bed.pool()["warm"] == 2)


def test_subnets_by_tag_are_those_of_the_zone_with_most_free_addresses_and_fall_over(bed):
    bed.configure(subnetTags={"use": "pods"}, minWarmTarget=7, maxWarmTarget=7)
    bed.eventually("seven are there", lambda: bed.pool()["warm"] == 7)

    subnets = [eni["subnetId"] for eni in bed.enis()]
    assert sorted(subnets) == ["subnet-demo0001", "subnet-pods0002"]


def homes(bed):
    labels = bed.workloads.node(bed.node.name)["metadata"].get("labels") or {}
    return {key.removeprefix(SUBNET): value for key, value in labels.items() if key.startswith(SUBNET)}


def test_the_node_says_of_which_subnets_its_pods_can_have_addresses(bed):
    """By these labels a Pod comes to a node where its fixed address can be."""
    bed.eventually("the subnet of the CVM", lambda: homes(bed) == {"subnet-demo0001": ""})

    bed.configure(subnets=["subnet-pods0001", "subnet-pods0003", "subnet-none0000"])
    bed.eventually(
        "those of the zone, and where it has ENIs",
        lambda: set(homes(bed)) == {"subnet-demo0001", "subnet-pods0001"},
    )

    bed.configure(subnetTags=PODS)
    bed.eventually(
        "those with the tag",
        lambda: set(homes(bed)) == {"subnet-demo0001", "subnet-pods0001", "subnet-pods0002"},
        seconds=90,
    )

    bed.annotate({TKE + "disable-node-eni": "yes"})
    bed.eventually("it makes no ENIs any more", lambda: set(homes(bed)) <= {"subnet-demo0001"})


def test_labels_that_others_take_or_give_are_put_right(bed):
    bed.eventually("the subnet of the CVM", lambda: homes(bed) == {"subnet-demo0001": ""})
    wrong = {SUBNET + "subnet-demo0001": None, SUBNET + "subnet-other001": "", "example.com/zone": "a"}
    bed.kube.merge_patch(f"/api/v1/nodes/{bed.node.name}", {"metadata": {"labels": wrong}})
    bed.eventually("they are right again", lambda: homes(bed) == {"subnet-demo0001": ""})
    assert bed.workloads.node(bed.node.name)["metadata"]["labels"]["example.com/zone"] == "a"


def test_a_subnet_that_is_nearly_full_is_told_before_it_is_full(bed):
    bed.configure(subnets=["subnet-pods0001"], minWarmTarget=14, maxWarmTarget=14)
    bed.eventually("all are there", lambda: bed.pool()["total"] == 14)
    # Free addresses are asked before each order and minutes apart; a start does not wait for that.
    bed.stop(bed.agent)
    bed.start_again(warm=14)

    def low():
        return [f["text"] for f in bed.ctl("check")["findings"] if f["code"] == "SubnetLow"]

    bed.eventually("it is a finding", low)
    assert "subnet subnet-pods0001 (10.0.2.0/28, ap-guangzhou-3) has" in low()[0]
    # Told at the second look of ten seconds each, like every problem of a node.
    bed.eventually(
        "it is an Event on the Node",
        lambda: "SubnetLow" in {e["reason"] for e in bed.workloads.events(regarding=bed.node.name)},
        seconds=90.0,
    )


def test_security_groups_follow_the_primary_eni_and_those_of_others_stay(bed):
    ours = set(bed.groups())
    instance = bed.cloud.describe_instance(bed.node.instance_id)
    console = VpcConsole(bed.endpoints.cloud)
    console.attach_eni(instance.instance_id, instance.vpc_id, instance.subnet_id, CLOSED)
    bed.eventually("it is there", lambda: len(bed.groups()) > len(ours))
    [foreign] = set(bed.groups()) - ours
    bed.admin.post(f"/enis/{bed.primary().eni_id}", {"security_groups": [SECOND, OPEN]})

    bed.eventually(
        "ours have both", lambda: all(set(bed.groups()[eni_id]) == {SECOND, OPEN} for eni_id in ours)
    )
    assert bed.groups()[foreign] == (CLOSED,)


def test_security_groups_that_are_configured_take_effect_on_the_traffic_of_running_pods(bed):
    _, sandbox = bed.pod_and_sandbox("a")
    _, result = bed.call("add", sandbox)
    ip = result["ips"][0]["address"].removesuffix("/32")
    other = bed.region["instances"][1]
    with SourceReporter(sandbox.netns):
        assert seen_source(other["netns"], ip) == other["private_ip"]

        bed.configure(securityGroups=[CLOSED])
        bed.eventually("nobody comes in", lambda: seen_source(other["netns"], ip) == "")
        bed.eventually("one group is left", lambda: set(bed.groups().values()) == {(CLOSED,)})

        bed.configure(securityGroups=[OPEN])
        bed.eventually("all come in", lambda: seen_source(other["netns"], ip) == other["private_ip"])


def test_no_eni_is_ever_without_a_group(bed):
    seen = []

    def look():
        seen.extend(bed.groups().values())
        return set(bed.groups().values()) == {(SECOND,)}

    bed.configure(securityGroups=[SECOND])
    bed.eventually("the other group is there", look)

    assert () not in seen
    calls = bed.cloud_calls()
    assert calls["AssociateNetworkInterfaceSecurityGroups"] == 1
    assert calls["DisassociateNetworkInterfaceSecurityGroups"] == 1


def test_a_group_that_somebody_took_off_since_the_last_look_leaves_no_eni_without_one(bed):
    bed.configure(securityGroups=[OPEN, SECOND])
    bed.eventually("both are there", lambda: set(map(frozenset, bed.groups().values())) == {BOTH})
    bed.eventually("the agent has seen it", lambda: bed.state().get("refused") == "")
    for eni_id in bed.groups():
        bed.admin.post(f"/enis/{eni_id}", {"security_groups": [SECOND]})
    seen = []

    def look():
        seen.extend(bed.groups().values())
        return set(bed.groups().values()) == {(OPEN,)}

    bed.configure(securityGroups=[OPEN])
    bed.eventually("the other group is there", look)

    assert () not in seen


def test_a_refusal_of_cam_is_told_and_cuts_nobody_off(bed):
    bed.admin.post(
        "/policies/IPAMDofTKE_QCSRole", {"allow": ["*"], "deny": ["cvm:AssociateNetworkInterface*"]}
    )
    before = bed.groups()

    bed.configure(securityGroups=[SECOND])

    bed.eventually(
        "it is a finding",
        lambda: any(
            "SecurityGroups" in f["text"] and f["code"] == "CamDenied" for f in bed.ctl("check")["findings"]
        ),
    )
    assert bed.groups() == before


def test_groups_stay_where_the_node_is_told_so_and_are_synced_once_when_asked(bed):
    before = bed.groups()
    bed.annotate({TKE + "disable-node-eni-security-groups": "yes"})
    bed.eventually("it holds", lambda: bed.settings()["syncSecurityGroups"][0] == "false")
    bed.configure(securityGroups=[SECOND])
    bed.eventually("they are configured", lambda: "securityGroups" in bed.settings())
    assert bed.groups() == before

    bed.annotate({TKE + "need-sync-security-groups": "true"})

    bed.eventually("they are synced", lambda: set(bed.groups().values()) == {(SECOND,)})
    bed.eventually("and that is done", lambda: TKE + "need-sync-security-groups" not in bed.noted())
