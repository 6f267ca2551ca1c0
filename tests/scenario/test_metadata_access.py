"""Pods and the keys of the CVM's role, on a node that masquerades even link-local traffic, as TKE's do."""

import http.client
import json
import urllib.parse

import pytest

from simulator.fabric import netns as namespaces
from testbed import masquerade
from testbed.bed import Bed

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

ROLES = "/latest/meta-data/cam/security-credentials/"


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    with Bed(tmp_path_factory.mktemp("metadata")) as bed:
        bed.start_region()
        masquerade.install(bed.node.netns, vpc_cidrs=["10.0.0.0/16"], masq_link_local=True)
        bed.start_controller()
        bed.start_agent()
        bed.wait_until_ready()
        yield bed


@pytest.fixture(scope="module")
def pods(bed):
    """Network namespaces of a Pod with the node's address outside, and of one with an EIP."""
    plain, outcome = bed.add_pod("plain")
    outcome.result()
    public, outcome = bed.add_pod("public", annotations={"eip-attributes": ""}, eip=True)
    outcome.result()
    return plain.netns, public.netns


def key(bed, netns):
    """Return the secret id that the metadata service tells a namespace; empty without an answer."""
    address = urllib.parse.urlsplit(bed.endpoints.node_metadata)

    def ask(path):
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=1.0)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    try:
        role = namespaces.run_in(netns, lambda: ask(ROLES))
        return json.loads(namespaces.run_in(netns, lambda: ask(ROLES + role)))["TmpSecretId"]
    except OSError:
        return ""


def restart_agent(bed, *options):
    bed.stop(bed.agent)
    bed.start_agent(options=options)
    bed.wait_until_ready()


def test_no_pod_gets_the_keys_of_the_node_and_the_node_does(bed, pods):
    assert [key(bed, pod) for pod in pods] == ["", ""]
    assert key(bed, bed.node.netns)


def test_with_the_flag_pods_that_run_get_them_and_without_it_no_more(bed, pods):
    restart_agent(bed, "--pod-metadata-access")
    assert all(key(bed, pod) for pod in pods)

    restart_agent(bed)
    assert [key(bed, pod) for pod in pods] == ["", ""]
    assert key(bed, bed.node.netns)
