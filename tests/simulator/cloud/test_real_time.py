"""The region by the machine's clock: the timer thread, and many clients at once."""

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from simulator.cloud import CloudRegion, CloudServer, InstanceOrder, RateLimits, RegionConfig, loopback_socket
from simulator.cloud.accounts import Principal
from simulator.cloud.actions import catalog
from simulator.cloud.calls import ApiRequest
from simulator.cloud.config import Quotas
from simulator.cloud.situations import ApiError
from simulator.http_server import HttpReply, HttpServer
from tests.simulator.cloud.conftest import StrictFabric

ANYONE = Principal(name="demo", allow=("*",), deny=())


@pytest.fixture
def region():
    config = RegionConfig(
        rate_limits=RateLimits(enabled=False), quotas=Quotas(total_eips=500, daily_eip_applications=5000)
    )
    with CloudRegion(config, StrictFabric()) as made:
        yield made


def execute(region, name, **params):
    request = ApiRequest(
        principal=ANYONE,
        action=catalog.find("vpc", "2017-03-12", name),
        params=params,
        request_id=f"{threading.get_ident()}-{time.monotonic_ns()}",
        pause=time.sleep,
    )
    return region.calls.execute(request)


def test_transitions_end_by_themselves_and_in_time(region):
    begun = time.monotonic()
    (address_id,) = execute(region, "AllocateAddresses")["AddressSet"]
    assert region.wait_idle(5)
    assert 0.05 <= time.monotonic() - begun < 2
    assert region.snapshot()["addresses"][address_id]["status"] == "UNBIND"


def test_a_new_transition_that_is_due_earlier_is_not_held_up(region):
    node = region.create_instance(InstanceOrder())
    new = {"VpcId": node.vpc_id, "SubnetId": node.subnet_id, "NetworkInterfaceName": "x"}
    execute(region, "CreateAndAttachNetworkInterface", **new, InstanceId=node.instance_id)
    answer = execute(region, "AllocateAddresses")
    deadline = time.monotonic() + 5
    while execute(region, "DescribeTaskResult", TaskId=int(answer["TaskId"]))["Result"] == "RUNNING":
        assert time.monotonic() < deadline
    assert any(e["state"] == "PENDING" for e in region.snapshot()["enis"].values())


def test_many_threads_allocate_bind_and_release_without_a_leak(region):
    node = region.create_instance(InstanceOrder(instance_type="BMS5.16XLARGE256"))
    new = {"VpcId": node.vpc_id, "SubnetId": node.subnet_id, "NetworkInterfaceName": "x"}
    created = execute(
        region,
        "CreateAndAttachNetworkInterface",
        **new,
        InstanceId=node.instance_id,
        SecondaryPrivateIpAddressCount=8,
    )["NetworkInterface"]
    assert region.wait_idle(5)
    ips = [p["PrivateIpAddress"] for p in created["PrivateIpAddressSet"][1:]]

    def life(ip):
        for _ in range(3):
            (address_id,) = execute(region, "AllocateAddresses")["AddressSet"]
            until(region, address_id, "UNBIND")
            execute(
                region,
                "AssociateAddress",
                AddressId=address_id,
                NetworkInterfaceId=created["NetworkInterfaceId"],
                PrivateIpAddress=ip,
            )
            until(region, address_id, "BIND")
            execute(region, "DisassociateAddress", AddressId=address_id)
            until(region, address_id, "UNBIND")
            execute(region, "ReleaseAddresses", AddressIds=[address_id])
        return ip

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(life, ips)) == sorted(ips)
    assert region.wait_idle(5)
    assert region.snapshot()["addresses"] == {}


def until(region, address_id, status):
    deadline = time.monotonic() + 10
    while True:
        shown = execute(region, "DescribeAddresses", AddressIds=[address_id])["AddressSet"]
        if shown[0]["AddressStatus"] == status:
            return
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_of_many_binds_to_one_address_one_is_accepted(region):
    node = region.create_instance(InstanceOrder(instance_type="BMS5.16XLARGE256"))
    ids = execute(region, "AllocateAddresses", AddressCount=20)["AddressSet"]
    assert region.wait_idle(5)

    def bind(address_id):
        try:
            execute(region, "AssociateAddress", AddressId=address_id, InstanceId=node.instance_id)
        except ApiError as e:
            return e.code
        return ""

    with ThreadPoolExecutor(20) as pool:
        codes = sorted(pool.map(bind, ids))
    assert codes == ["", *["InvalidInstanceId.AlreadyBindEip"] * 19]


def test_closing_twice_and_without_a_start_is_allowed():
    region = CloudRegion()
    region.close()
    region.close()


def test_a_server_listens_on_several_sockets_and_ends_open_connections():
    before = set(threading.enumerate())
    with CloudRegion() as region:
        server = CloudServer(region, [loopback_socket(), loopback_socket()])
        connections = [http.client.HTTPConnection(address) for address in server.addresses]
        for connection in connections:
            connection.request("POST", "/", b"{}", {"Content-Type": "application/json"})
            assert connection.getresponse().read()
        server.close()
        server.close()
        for connection in connections:
            assert connection.sock.recv(1) == b""
            connection.close()
    assert set(threading.enumerate()) == before


def test_a_body_that_is_too_large_is_not_read():
    with HttpServer([loopback_socket()], lambda _request: HttpReply()) as server:
        connection = http.client.HTTPConnection(server.endpoint)
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", str(100 * 2**20))
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()


def test_a_handler_that_breaks_does_not_take_the_server_along():
    def handler(request):
        if request.path == "/break":
            raise RuntimeError("broken")
        return HttpReply(body=request.path.encode())

    with HttpServer([loopback_socket()], handler) as server:
        connection = http.client.HTTPConnection(server.endpoint)
        connection.request("GET", "/break")
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        connection.close()
        connection.request("GET", "/fine")
        assert connection.getresponse().read() == b"/fine"
        connection.close()
