"""A node whose runtime executes the whole chain that the agent has written, with Debian's plugins."""

import json

from testbed import masquerade
from testbed.chain import PLUGINS, Chain
from testbed.runtime import Runtime
from tests.agent.conftest import AgentBed


class ChainNode(AgentBed):
    """A node whose runtime works with the network configuration as shipped."""

    def __init__(self, directory):
        super().__init__(directory)
        self.addresses, self.sandboxes = {}, {}

    def begin(self, *options, region=None, warm=5):
        self.conf = self.directory / "net.d/10-tke-eni.conflist"
        super().begin(
            f"--cni-conf={self.conf}", f"--cni-bin-dir={PLUGINS}", *options, region=region, warm=warm
        )
        masquerade.install(self.node.netns, vpc_cidrs=self.region["vpc_cidrs"])
        return self

    @property
    def network(self):
        return json.loads(self.conf.read_text())

    def chain(self, knows="1.0.0"):
        network = self.network
        runtimes = {"tke-route-eni": self.runtime}
        for plugin in network["plugins"][1:]:
            kind = plugin["type"]
            runtimes[kind] = Runtime(node_netns=self.node.netns, plugin=PLUGINS / kind, configuration=plugin)
        return Chain(network, runtimes, knows=knows)
