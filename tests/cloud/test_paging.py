"""Complete listings from pages, also when the list changes under the reader or the counts lie."""

import pytest

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.timing.deadline import Deadline
from simulator.cloud import CloudRegion, CloudServer, RegionConfig, loopback_socket
from simulator.cloud.config import Latencies, Quotas, RateLimits
from tests.cloud import scripted_http


def pages_of(ids, params):
    """Answer as DescribeAddresses does for these ids."""
    chosen = ids[params["Offset"] : params["Offset"] + params["Limit"]]
    return {
        "TotalCount": len(ids),
        "AddressSet": [{"AddressId": i, "AddressStatus": "UNBIND"} for i in chosen],
    }


def all_ids(count):
    return [f"eip-{n:08}" for n in range(count)]


def test_more_eips_than_one_page_holds_are_all_listed(open_cloud):
    config = RegionConfig(
        quotas=Quotas(total_eips=300, daily_eip_applications=300),
        latencies=Latencies(scale=0),
        rate_limits=RateLimits(enabled=False),
    )
    with (
        CloudRegion(config) as region,
        CloudServer(region, [loopback_socket()]) as server,
        open_cloud(f"http://{server.endpoint}") as cloud,
    ):
        ordered = [
            cloud.allocate_eip(model.EipOrder(), {"of": "us"}, f"token-{n}").eip_id for n in range(125)
        ]
        assert sorted(eip.eip_id for eip in cloud.describe_eips(tags={"of": "us"})) == sorted(ordered)
        found = cloud.describe_eips(eip_ids=[*ordered, *ordered[:30], "eip-00000000"])
        assert sorted(eip.eip_id for eip in found) == sorted(ordered)


def test_ids_are_asked_for_by_the_hundred_with_the_largest_page(open_cloud, serve):
    server = serve(scripted_http.api(lambda request: pages_of(request.params["AddressIds"], request.params)))
    found = open_cloud(server.url).describe_eips(eip_ids=all_ids(230))
    assert [eip.eip_id for eip in found] == all_ids(230)
    assert [(len(r.params["AddressIds"]), r.params["Limit"]) for r in server.requests] == [
        (100, 100),
        (100, 100),
        (30, 100),
    ]


@pytest.mark.parametrize("comes", [None, "eip-new00000"])
def test_a_row_that_goes_away_between_pages_hides_no_other(open_cloud, serve, comes):
    ids = all_ids(150)

    def handler(request):
        answer = pages_of(ids, request.params)
        if request.params["Offset"] == 0 and "eip-00000010" in ids:
            # Released while the reader locks the page: row 100 slips to 99; a new one keeps the count
            ids.remove("eip-00000010")
            ids.extend([comes] if comes else [])
        return answer

    found = open_cloud(serve(scripted_http.api(handler)).url).describe_eips(tags={"of": "us"})
    assert {eip.eip_id for eip in found} >= set(ids)


def test_a_list_that_never_stands_still_is_returned_as_it_was_seen(open_cloud, serve, caplog):
    ids = all_ids(3000)

    def handler(request):
        answer = pages_of(ids, request.params)
        del ids[:60]
        return answer

    found = open_cloud(serve(scripted_http.api(handler)).url).describe_eips(tags={"of": "us"})
    assert len(found) > 1000
    assert "changes faster than it can be read" in caplog.text


@pytest.mark.parametrize("place", ["front", "back"])
def test_a_long_list_to_which_rows_come_is_read_once(open_cloud, serve, place):
    """Orders of other claims make new rows while thousands are read; that costs no second reading."""
    ids = all_ids(5000)

    def handler(request):
        answer = pages_of(ids, request.params)
        new = f"eip-new{len(ids):05}"
        ids.insert(0, new) if place == "front" else ids.append(new)
        return answer

    server = serve(scripted_http.api(handler))
    found = {eip.eip_id for eip in open_cloud(server.url).describe_eips(tags={"of": "us"})}
    assert set(all_ids(5000)) <= found
    assert len(server.requests) <= 53


def test_a_long_list_from_which_rows_go_is_read_once(open_cloud, serve):
    ids = all_ids(5000)

    def handler(request):
        answer = pages_of(ids, request.params)
        if request.params["Offset"] % 7 == 0:
            del ids[:3]
        return answer

    server = serve(scripted_http.api(handler))
    found = {eip.eip_id for eip in open_cloud(server.url).describe_eips(tags={"of": "us"})}
    assert set(ids) <= found
    assert len(server.requests) <= 70


def test_more_than_ten_thousand_eips_are_listed(open_cloud, serve):
    ids = all_ids(12_345)
    server = serve(scripted_http.api(lambda request: pages_of(ids, request.params)))
    assert [eip.eip_id for eip in open_cloud(server.url).describe_eips(tags={"of": "us"})] == ids
    assert len(server.requests) == 125


def test_a_row_that_is_listed_twice_is_returned_once(open_cloud, serve):
    ids = all_ids(120)

    def handler(request):
        answer = pages_of(ids, request.params)
        if request.params["Offset"] == 0:
            ids.insert(0, "eip-new00000")
        return answer

    found = [
        e.eip_id for e in open_cloud(serve(scripted_http.api(handler)).url).describe_eips(tags={"of": "us"})
    ]
    assert len(found) == len(set(found))
    assert set(all_ids(120)) <= set(found)


@pytest.mark.parametrize("total", [0, 10**9, None])
def test_a_count_that_lies_ends_in_what_was_listed(open_cloud, serve, total):
    def handler(request):
        return {**pages_of(all_ids(3), request.params), "TotalCount": total}

    found = open_cloud(serve(scripted_http.api(handler)).url).describe_eips(tags={"of": "us"})
    assert len(found) == 3


def test_a_listing_without_end_is_given_up(open_cloud, serve):
    def handler(request):
        start = request.params["Offset"]
        rows = [{"AddressId": f"eip-{n}", "AddressStatus": "UNBIND"} for n in range(start, start + 100)]
        return {"TotalCount": 10**9, "AddressSet": rows}

    server = serve(scripted_http.api(handler))
    deadline = Deadline.after(20, lambda: len(server.requests))  # a second for each page
    with pytest.raises(CloudError, match="the time for the job was over"):
        open_cloud(server.url).describe_eips(tags={"of": "us"}, deadline=deadline)
    assert len(server.requests) == 20


def test_subnets_are_paged_with_offset_and_limit_as_text(open_cloud, serve):
    server = serve(scripted_http.api(lambda _: {"TotalCount": 0, "SubnetSet": []}))
    assert open_cloud(server.url).describe_subnets(["subnet-12345678"]) == []
    assert (server.requests[0].params["Offset"], server.requests[0].params["Limit"]) == ("0", "100")
