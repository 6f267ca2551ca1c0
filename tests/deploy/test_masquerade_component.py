"""deploy/components/ip-masq-agent: its flags are ours, and one of the two exempts Pods with EIP."""

import argparse

import yaml

from ipamd.agent import options as agent_options
from ipamd.controller import options as controller_options
from ipamd.core.eip.masquerade import MasqueradeMode
from tests.deploy import manifests

COMPONENT = manifests.read("components/ip-masq-agent/kustomization.yaml")


def added(kind):
    (patch,) = [entry["patch"] for entry in COMPONENT["patches"] if entry["target"]["kind"] == kind]
    return [operation["value"] for operation in yaml.safe_load(patch)]


def parsed(options, words):
    parser = argparse.ArgumentParser(exit_on_error=False)
    options.add_arguments(parser)
    return options.settings(parser.parse_args(["--cluster-id=cls-demo", *words]), {"NODE_NAME": "node-a"})


def test_ip_masq_agent_is_told_of_the_pods_that_the_agents_exempt_no_more():
    controller = parsed(controller_options, added("Deployment"))
    agent = parsed(agent_options, added("DaemonSet"))

    assert controller.ip_masq_agent_config is MasqueradeMode.KEEP
    assert not agent.eip_source_nat_exemption


def test_an_address_cools_for_longer_than_ip_masq_agent_takes_to_read_its_configuration():
    assert parsed(agent_options, added("DaemonSet")).ip_cooldown > 60
