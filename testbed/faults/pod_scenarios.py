"""Pods come and go: ADD, DEL, new sandboxes, retained claims, and the pool that follows them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from testbed.faults.kubelet import EIP, OWN_ENI_EIP, RETAINED_EIP, Retry, RunningPod
from testbed.faults.scenario import EXACT, OWN_ENIS, Scenario, Scene
from testbed.faults.stage import AGENT, DAEMONS


class Add(Scenario):
    """A Pod without EIP."""

    name = "ADD"
    victims: ClassVar[Sequence[str]] = (AGENT,)
    annotations: ClassVar[Mapping[str, str] | None] = None

    def prepare(self, scene: Scene) -> None:
        """Need nothing."""

    def act(self, scene: Scene) -> None:
        """ADD, until the Pod runs or is gone."""
        scene.kubelet.run(scene.kubelet.create(scene.name(), self.annotations), scene.retry)


class AddWithEip(Add):
    """A Pod whose EIP is ordered, bound and waited for: provision and bind."""

    name = "ADD with EIP"
    victims = DAEMONS
    annotations = EIP


class AddWithEipOfList(Scenario):
    """A Pod that names an EIP which its user has bought: chosen, stamped and bound, and never released."""

    name = "ADD with EIP of a list"

    def prepare(self, scene: Scene) -> None:
        """Have the EIP."""
        self.eip_id = scene.kubelet.stage.buy_eip()

    def act(self, scene: Scene) -> None:
        """ADD, until the Pod runs or is gone."""
        annotations = {"eip-id-list": self.eip_id}
        scene.kubelet.run(scene.kubelet.create(scene.name(), annotations), scene.retry)

    def lacks(self, scene: Scene) -> list[str]:
        """Look for the user's EIP: bound while its Pod runs, else free."""
        wanted = "BIND" if scene.name() in scene.kubelet.running else "UNBIND"
        status = scene.kubelet.stage.eip_status(self.eip_id)
        return [] if status == wanted else [f"the user's {self.eip_id} is {status or 'gone'}, not {wanted}"]


class ClaimDeleted(Scenario):
    """Somebody deletes the claim of a running Pod: its EIP is unbound and released, and another one bound."""

    name = "claim deleted by hand"
    # What it takes to bind and to release is in other scenarios; here the two follow one another.
    only_steps = ("kube.create.eipclaims", "kube.patch.eipclaims", "cloud.Disassociate", "cloud.Release")

    def prepare(self, scene: Scene) -> None:
        """Have the Pod run."""
        scene.run(annotations=EIP)
        self.uid = self._claim(scene)["metadata"]["uid"]

    def act(self, scene: Scene) -> None:
        """Delete the claim, and wait for its successor."""
        stage = scene.kubelet.stage
        stage.bed.workloads.delete_claim(scene.name())
        # A claim whose release is in doubt stays for a minute after its EIP came.
        stage.until("another claim bound", lambda: self._is_replaced(scene), seconds=150)

    def _is_replaced(self, scene: Scene) -> bool:
        claim = self._claim(scene)
        return claim.get("metadata", {}).get("uid") != self.uid and "binding" in claim.get("status", {})

    def _claim(self, scene: Scene) -> dict[str, Any]:
        claims = scene.kubelet.stage.bed.workloads.claims()
        return next((claim for claim in claims if claim["metadata"]["name"] == scene.name()), {})


class Delete(Scenario):
    """DEL of a Pod without EIP."""

    name = "DEL"
    victims: ClassVar[Sequence[str]] = (AGENT,)
    annotations: ClassVar[Mapping[str, str] | None] = None

    def prepare(self, scene: Scene) -> None:
        """Have it run."""
        self.pod = scene.run(annotations=self.annotations)

    def act(self, scene: Scene) -> None:
        """Delete it."""
        scene.kubelet.delete(self.pod.sandbox)


class DeleteWithEip(Delete):
    """DEL of a Pod with EIP: unbind and release."""

    name = "DEL with EIP"
    victims = DAEMONS
    annotations = EIP


class AddWithOwnEni(Add):
    """A Pod with an ENI of its own and an EIP."""

    name = "ADD with own ENI"
    annotations = OWN_ENI_EIP
    flags = OWN_ENIS


class DeleteWithOwnEni(Delete):
    """DEL of such a Pod: the ENI comes back to the node."""

    name = "DEL with own ENI"
    annotations = OWN_ENI_EIP
    flags = OWN_ENIS


class NewSandbox(Scenario):
    """A running Pod with EIP gets a new sandbox before the old one is torn down."""

    name = "sandbox replaced"

    def prepare(self, scene: Scene) -> None:
        """Have it run."""
        self.pod = scene.run(annotations=EIP)

    def act(self, scene: Scene) -> None:
        """Replace its sandbox; the addresses stay the Pod's."""
        self.check(scene.kubelet.replace(self.pod))

    def check(self, successor: RunningPod | None) -> None:
        """Compare the addresses."""
        if successor is not None and successor.ip != self.pod.ip:
            raise RuntimeError(f"{self.pod.name} had {self.pod.ip} and has {successor.ip}")


class SandboxDied(NewSandbox):
    """A running Pod with EIP loses its sandbox and gets another one: the address is held in between."""

    name = "sandbox died"

    def act(self, scene: Scene) -> None:
        """Tear the old one down, then ADD; the addresses stay the Pod's."""
        self.check(scene.kubelet.recreate(self.pod))


class Retained(Scenario):
    """A Pod whose claim is retained goes and comes back by its name."""

    name = "retained Pod re-created"

    def prepare(self, scene: Scene) -> None:
        """Have had it, and have its claim."""
        pod = scene.run(annotations=RETAINED_EIP)
        scene.kubelet.delete(pod.sandbox)

    def act(self, scene: Scene) -> None:
        """Create it again."""
        scene.kubelet.run(scene.kubelet.create(scene.name(), RETAINED_EIP), Retry.NEW_SANDBOX)


class Burst(Scenario):
    """More Pods than there are warm addresses: the pool grows while they wait."""

    name = "pool grows"
    victims: ClassVar[Sequence[str]] = (AGENT,)
    flags = EXACT

    def prepare(self, scene: Scene) -> None:
        """Have the Pods created."""
        self.sandboxes = [scene.kubelet.create(scene.name(n)) for n in range(5)]

    def act(self, scene: Scene) -> None:
        """ADD one after the other, faster than addresses come."""
        for sandbox in self.sandboxes:
            scene.kubelet.run(sandbox)


class Drain(Scenario):
    """Pods go, and their addresses are given back."""

    name = "pool shrinks"
    victims: ClassVar[Sequence[str]] = (AGENT,)
    flags = EXACT

    def prepare(self, scene: Scene) -> None:
        """Have them run."""
        self.pods = [scene.run(n) for n in range(2)]

    def act(self, scene: Scene) -> None:
        """Delete them; the rest comes with time."""
        for pod in self.pods:
            scene.kubelet.delete(pod.sandbox)
