"""What is written into a VpcIPClaim: of the claim that was meant, and of no other of its name."""

from ipamd.agent.fixed.claims import VpcIpClaimSource
from ipamd.kube import errors
from tests.testkit.vpc_ip_claims import vpc_ip_claim


class Server:
    """An API server whose object was written by somebody else, and is gone when it is read again."""

    def __init__(self):
        self.written = 0

    def patch(self, *_arguments, **_named):
        self.written += 1
        raise errors.ConflictError("it was changed")

    def get(self, *_arguments, **_named):
        raise errors.NotFoundError("there is none")


def test_a_claim_that_is_gone_when_it_is_read_again_is_not_written():
    server, seen = Server(), []

    def revision(claim):
        seen.append(claim.uid)
        return {"status": {}}

    claim = vpc_ip_claim()

    assert VpcIpClaimSource(server, "node-a").revise(claim, revision) is None
    assert (server.written, seen) == (1, [claim.uid])
