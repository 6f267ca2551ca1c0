"""The admin API: look, change, break, heal; and what it answers to nonsense."""

import json
import time

import pytest
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from simulator.cloud.situations import ApiError


@pytest.fixture
def vpc(region):
    """The unmodified SDK."""
    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=region.cloud_server.endpoint))
    key = Credential("AKIDdemo", "demo-secret-key")
    return CommonClient("vpc", "2017-03-12", key, "ap-guangzhou", profile)


def _code(call):
    with pytest.raises(TencentCloudSDKException) as e:
        call()
    return e.value.code


def test_the_index_lists_every_path_with_its_purpose(admin):
    status, index = admin.get("/")

    assert status == 200
    assert "GET /state" in index
    assert all(index.values())


def test_the_region_is_described_as_in_the_ready_file(admin, region):
    assert admin.get("/region") == (200, region.describe())


def test_the_state_shows_eips_with_the_names_of_the_api(admin, region, vpc):
    eip = vpc.call_json("AllocateAddresses", {})["Response"]["AddressSet"][0]
    assert region.cloud.wait_idle(5)

    _, state = admin.get("/state")

    [shown] = state["eips"]
    assert shown["AddressId"] == eip
    assert shown["AddressStatus"] == "UNBIND"
    assert set(state["cloud"]) >= {"addresses", "enis", "instances"}


def test_a_cvm_is_booted_with_its_node_and_ended(admin, region):
    status, instance = admin.post("/instances", {"instance_type": "S5.LARGE8", "private_ip": "10.0.1.77"})
    assert status == 200
    assert instance["private_ip"] == "10.0.1.77"
    assert region.kube.get("nodes", "10.0.1.77")["status"]["capacity"]["cpu"] == "4"

    assert admin.delete(f"/instances/{instance['instance_id']}")[0] == 200

    _, document = admin.get("/region")
    assert instance["instance_id"] not in [i["instance_id"] for i in document["instances"]]
    assert region.kube.get("nodes", "10.0.1.77"), "a Node without CVM is the cluster's business"


def test_a_cvm_is_shown_in_another_state(admin, region):
    instance_id = region.describe()["instances"][0]["instance_id"]

    assert admin.post(f"/instances/{instance_id}", {"state": "STOPPED"})[0] == 200

    _, state = admin.get("/state")
    assert state["cloud"]["instances"][instance_id]["state"] == "STOPPED"


def test_a_cvm_is_resized(admin, region):
    instance_id = region.describe()["instances"][0]["instance_id"]

    assert admin.post(f"/instances/{instance_id}", {"instance_type": "S5.SMALL2"})[0] == 200

    assert region.describe()["instances"][0]["instance_type"] == "S5.SMALL2"


def test_faults_are_set_seen_and_cleared(admin, vpc):
    fault = {"kind": "error", "action": "DescribeAddresses", "code": "InternalError", "count": None}
    _, answer = admin.post("/faults", {"add": [fault]})
    assert len(answer["in_force"]) == 1
    assert _code(lambda: vpc.call_json("DescribeAddresses", {})) == "InternalError"

    admin.post("/faults", {"clear": True})

    assert vpc.call_json("DescribeAddresses", {})["Response"]["TotalCount"] == 0
    assert admin.get("/audit")[1]["calls"]["DescribeAddresses"] == 2


def test_arrears_block_and_an_empty_account_show_in_the_api(admin, region, vpc):
    eip = vpc.call_json("AllocateAddresses", {})["Response"]["AddressSet"][0]
    assert region.cloud.wait_idle(5)

    admin.post(f"/eips/{eip}", {"arrears": True, "blocked": True})
    admin.post("/account", {"balance_ok": False})

    [address] = vpc.call_json("DescribeAddresses", {})["Response"]["AddressSet"]
    assert address["IsArrears"]
    assert address["IsBlocked"]
    assert "Balance" in _code(lambda: vpc.call_json("AllocateAddresses", {}))


def test_a_policy_takes_a_permission_away_and_gives_it_back(admin, vpc):
    admin.post("/policies/demo", {"deny": ["cvm:AllocateAddresses"]})
    assert _code(lambda: vpc.call_json("AllocateAddresses", {})).startswith("UnauthorizedOperation")

    admin.post("/policies/demo", {})

    vpc.call_json("AllocateAddresses", {})
    assert admin.get("/policies")[1]["demo"] == {"allow": ["*"], "deny": []}


def test_a_nat_gateway_is_made(admin):
    _, gateway = admin.post("/nat-gateways", {"nat_gateway_id": "nat-1"})

    assert gateway["nat_gateway_id"] == "nat-1"
    assert admin.get("/state")[1]["cloud"]["nat_gateways"]["nat-1"]["public_ip"] == gateway["public_ip"]


def test_kubernetes_faults_are_set_and_healed(admin, region):
    kube = type(admin)(region.kube.url)
    _, added = admin.post("/kube/faults", {"kind": "status", "verb": "list", "code": 503})
    assert kube.get("/api/v1/pods")[0] == 503
    assert admin.get("/kube")[1]["faults"]["active"][0]["id"] == added["id"]

    admin.delete(f"/kube/faults/{added['id']}")
    assert kube.get("/api/v1/pods")[0] == 200

    admin.post("/kube/faults", {"kind": "status", "code": 500})
    admin.delete("/kube/faults")
    assert kube.get("/api/v1/pods")[0] == 200


def test_keys_of_a_role_expire_before_their_time_and_it_gets_new_ones(admin, region):
    accounts = region.cloud.accounts
    old = accounts.temporary_key("IPAMDofTKE_QCSRole")

    _, answer = admin.post("/keys", {"expire": "IPAMDofTKE_QCSRole"})

    assert answer["expired"] >= 1
    assert admin.post("/keys", {"expire": "IPAMDofTKE_QCSRole"}) == (200, {"expired": 0})
    with pytest.raises(ApiError, match="expired"):
        accounts.principal(old.secret_id, old.token)
    new = accounts.temporary_key("IPAMDofTKE_QCSRole")
    assert accounts.principal(new.secret_id, new.token).name == "IPAMDofTKE_QCSRole"


def test_clocks_of_the_clients_are_wrong_and_right_again(admin, region):
    admin.post("/clock", {"error": 900})
    assert time.time() - region.cloud.wall() == pytest.approx(900, abs=1)

    admin.post("/clock", {"error": 0})
    assert time.time() - region.cloud.wall() == pytest.approx(0, abs=1)


def test_watches_are_cut_and_expired(admin):
    assert admin.post("/kube/watches", {"do": "cut"}) == (200, {"watches": 0})
    assert admin.post("/kube/watches", {"do": "expire", "resource": "pods"}) == (200, {"watches": 0})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "named"),
    [
        ("GET", "/nothing", None, 404, "GET /"),
        ("PUT", "/state", {}, 404, "PUT /state"),
        ("POST", "/instances", {"instance_typ": "S5.LARGE8"}, 400, "instance_typ"),
        ("POST", "/instances", {"instance_type": "S9.GIANT"}, 400, "S9.GIANT"),
        ("POST", "/instances/ins-gone", {"state": "STOPPED"}, 404, "ins-gone"),
        ("POST", "/instances/ins-gone", {"instance_type": "S5.SMALL2"}, 404, "ins-gone"),
        ("POST", "/instances/ins-gone", {}, 400, "state"),
        ("DELETE", "/instances/ins-gone", None, 400, "ins-gone"),
        ("POST", "/eips/eip-gone", {"arrears": True}, 404, "eip-gone"),
        ("POST", "/policies/nobody", {}, 404, "nobody"),
        ("POST", "/faults", {"add": [{"kind": "earthquake"}]}, 400, "earthquake"),
        ("POST", "/faults", {"ad": []}, 400, "'ad'"),
        ("POST", "/kube/faults", {"kind": "earthquake"}, 400, "earthquake"),
        ("POST", "/kube/watches", {"do": "paint"}, 400, "paint"),
        ("POST", "/kube/watches", [], 400, "JSON object"),
        ("POST", "/account", {}, 400, "balance_ok"),
        ("POST", "/keys", {"expire": "nobody"}, 404, "nobody"),
        ("POST", "/clock", {}, 400, "error"),
    ],
)
def test_nonsense_is_named(admin, method, path, body, status, named):
    answered, document = admin.call(method, path, None if body is None else json.dumps(body))

    assert answered == status
    assert named in document["error"]


def test_a_body_that_is_not_json_is_refused(admin):
    status, document = admin.call("POST", "/faults", "{")

    assert status == 400
    assert document["error"]
