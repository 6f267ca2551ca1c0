"""The codes of findings: what each means, what it breaks, what to do next, and whether the repair does it.

A code never changes its meaning: scripts and alerts go by it. docs/findings.md has the table. Pure.
"""

from enum import Enum
from typing import Final

from ipamd.core.findings.code_facts import CodeFacts, Severity

FIX: Final = "`ipamctl check --fix`, if the agent's next round has not mended it by then"
LOG: Final = "the agent's log has each repair with its time"


def _ours(meaning: str, breaks: str, severity: Severity = Severity.ERROR) -> CodeFacts:
    return CodeFacts(severity=severity, meaning=meaning, breaks=breaks, next_step=FIX, mended=True)


def _error(meaning: str, breaks: str, next_step: str) -> CodeFacts:
    return CodeFacts(severity=Severity.ERROR, meaning=meaning, breaks=breaks, next_step=next_step)


def _warning(meaning: str, breaks: str, next_step: str) -> CodeFacts:
    return CodeFacts(severity=Severity.WARNING, meaning=meaning, breaks=breaks, next_step=next_step)


def _info(meaning: str, breaks: str, next_step: str) -> CodeFacts:
    return CodeFacts(severity=Severity.INFO, meaning=meaning, breaks=breaks, next_step=next_step)


class FindingCode(Enum):
    """Each kind of finding; the value's first part is what people and programs see."""

    # ---- ours in the kernel
    POLICY_RULE = (
        "PolicyRule",
        _ours("a policy rule of ours is gone, or one is too many", "packets take the wrong table"),
    )
    ENI_LINK = ("EniLink", _ours("the link of an ENI is down or has another MTU", "what goes by that ENI"))
    ENI_ROUTE = (
        "EniRoute",
        _ours("the default route in the table of an ENI is not ours", "what Pods send by that ENI"),
    )
    SUBNET_ROUTE = (
        "SubnetRoute",
        _ours(
            "main has a route to the subnet by a secondary ENI",
            "what the node itself sends to its subnet",
            Severity.WARNING,
        ),
    )
    KERNEL_SETTING = (
        "KernelSetting",
        _ours("a kernel setting (sysctl) is not what Pods need", "what is forwarded to and from Pods"),
    )
    NFT_TABLE = ("NftTable", _ours("a table of ours in nftables is gone", "the choice of the ENI, and EIPs"))
    NFT_CHAIN = (
        "NftChain",
        _ours("a chain of ours in nftables was changed", "the choice of the ENI, and EIPs"),
    )
    NFT_SET = (
        "NftSet",
        _ours("a set or map of ours in nftables was changed", "the choice of the ENI, and EIPs"),
    )
    POD_LINK = (
        "PodLink",
        _ours("the node's end of a Pod's link is not as it was made", "all traffic of the Pod"),
    )
    POD_ROUTE = ("PodRoute", _ours("the route to a Pod is gone from main", "what is sent to the Pod"))
    POD_ELEMENT = (
        "PodElement",
        _ours("nftables does not have what it has to have of a Pod", "the Pod's way to VPC and internet"),
    )
    POD_INSIDE = (
        "PodInside",
        _ours("the Pod's end of its link has lost something", "what the Pod sends"),
    )
    POD_ADDRESS_ON_LINK = (
        "PodAddressOnLink",
        _ours("a link of the node has an address for Pods", "what is sent to the Pod: the node keeps it"),
    )
    LEFTOVER = (
        "Leftover",
        _ours("the kernel has something of an address that nobody owns", "nothing yet", Severity.WARNING),
    )
    POD_CUT_OFF = (
        "PodCutOff",
        _error(
            "the link of a Pod is gone from the node",
            "all traffic of the Pod",
            "delete the Pod, so that it gets a new sandbox",
        ),
    )
    # ---- of others in the kernel
    MAIN_RULE = (
        "MainRule",
        _error(
            "the policy rule that looks up main (or local) is gone",
            "the node's own network, and what leaves by the primary ENI",
            "it is not the agent's, so --fix leaves it: `ip rule add priority 32766 lookup main`, or "
            "`ip rule add priority 0 lookup local`",
        ),
    )
    NODE_NETWORK = (
        "NodeNetwork",
        _error(
            "the link of the primary ENI is down, or the node has no default route",
            "the node's way to cloud and API server, and what Pods send by the primary ENI",
            "`ip link set LINK up`, then have the distribution set it up: `networkctl reconfigure LINK`, "
            "`netplan apply` or `nmcli device reapply LINK`",
        ),
    )
    FOREIGN_RULE = (
        "ForeignRule",
        _error(
            "a policy rule of somebody else takes packets of Pods before ours do",
            "those packets take a table that is not ours",
            "remove it, or give it a priority above 1536",
        ),
    )
    FORWARD_DROP = (
        "ForwardDrop",
        _error(
            "a filter of somebody else drops what is forwarded from Pods",
            "all that Pods send beyond the node",
            "`iptables -P FORWARD ACCEPT`, or a rule that accepts what comes from and goes to eni*",
        ),
    )
    NAT_BEFORE_OURS = (
        "NatBeforeOurs",
        _error(
            "somebody translates source addresses before our rules are asked",
            "EIPs: Pods are seen with another address",
            "remove that chain, or give its hook a priority of 100 (srcnat) or more",
        ),
    )
    EIP_MASQUERADED = (
        "EipMasqueraded",
        _error(
            "ip-masq-agent, which alone decides here, gives packets of a Pod with EIP another source",
            "the Pod's EIP: it is seen with another address, or by nobody",
            "have its address in NonMasqueradeSrcCIDRs of kube-system/ip-masq-agent-config: the controller "
            "keeps it there with --ip-masq-agent-config=keep, and ip-masq-agent reads it within a minute",
        ),
    )
    UNMASQUERADED = (
        "Unmasqueraded",
        _info(
            "nothing gives packets of Pods without EIP the node's address",
            "the internet of Pods without EIP: the VPC drops what has a source of another ENI",
            "see whether ip-masq-agent runs on this node: `kubectl -n kube-system get pods -o wide`; "
            "or give the Pods EIPs, or --pod-egress=eni with a NAT gateway",
        ),
    )
    RANGES_UNKNOWN = (
        "RangesUnknown",
        _info(
            "it is not known what ip-masq-agent leaves alone, or which Service CIDR there is",
            "perhaps the way to private ranges outside the VPC, or to Services by IPVS",
            "name them in --direct-cidrs or --service-cidrs",
        ),
    )
    REPAIRED_AGAIN = (
        "RepairedAgain",
        _warning(
            "the same thing is repaired again and again: somebody takes it away each time",
            "packets of Pods between two repairs",
            f"find out who (systemd-networkd, a firewall, a script); {LOG}",
        ),
    )
    REPAIR_FAILED = (
        "RepairFailed",
        _error(
            "a part of the repair fails",
            "what that part keeps right",
            "do what the message says; the agent tries again each round",
        ),
    )
    # ---- ENIs, addresses and EIPs in the cloud
    ENI_MISSING = (
        "EniMissing",
        _error(
            "an ENI of the node is not in the cloud's listing of the CVM: detached or deleted",
            "all traffic of its Pods beyond the node",
            "attach it to this CVM again, or delete its Pods, so that they get other addresses",
        ),
    )
    ENI_BROKEN = (
        "EniBroken",
        _error(
            "an ENI is attached in the cloud, and the node cannot use it",
            "all traffic of its Pods, and addresses for new ones",
            "compare `ip link` with the ENIs of the CVM; without hot-plug the CVM has to be restarted",
        ),
    )
    ADDRESS_MISSING = (
        "AddressMissing",
        _error(
            "the VPC does not list the address of a Pod at its ENI any more",
            "all traffic of the Pod beyond the node",
            "assign the address to the ENI again, or delete the Pod, so that it gets another one",
        ),
    )
    EIP_NOT_BOUND = (
        "EipNotBound",
        _error(
            "the EIP of a Pod is not bound to its address, and should be",
            "the Pod's way to and from the internet",
            "do what the message says; the agent tries again by itself",
        ),
    )
    EIP_BINDING = (
        "EipBinding",
        _info(
            "an EIP is being bound",
            "the Pod's way to and from the internet, until it is bound",
            "wait; `ipamctl eips` shows it",
        ),
    )
    CLAIM_FAILED = (
        "ClaimFailed",
        _error(
            "the controller cannot provide the EIP that a Pod asks for",
            "the Pod does not start, or has no EIP",
            "do what the condition says: `kubectl get eipc -A`",
        ),
    )
    FIXED_ADDRESS = (
        "FixedAddress",
        _error(
            "the fixed private address of a Pod (VpcIPClaim) cannot be had, or cannot be given back",
            "the Pod does not start, or not on another node",
            "do what the message says: `kubectl get vipc -A`; the agent tries again by itself",
        ),
    )
    NAT_GATEWAY_FIRST = (
        "NatGatewayFirst",
        _error(
            "a route table of the VPC, or the kind of the account, leads packets of an EIP elsewhere",
            "outbound by the EIP: Pods are seen with the NAT gateway's address",
            "docs/nat-gateway-and-masquerade.md: give the Pods' subnet a route table without it, or use a "
            "subnet of its own",
        ),
    )
    # ---- what the cloud refuses
    CAM_DENIED = (
        "CamDenied",
        _error(
            "CAM denies an action of the cloud to the node's role (or to the controller)",
            "whatever needs that action",
            "attach the policy QcloudAccessForIPAMDRoleInQcloudAllocateEIP, or deploy/cam-policy.json",
        ),
    )
    EIP_QUOTA = (
        "EipQuota",
        _error(
            "the account's quota of EIPs is used up",
            "Pods that ask for an EIP do not start",
            "release EIPs that nobody needs, or ask for a higher quota in the console",
        ),
    )
    CVM_LIMIT = (
        "CvmLimit",
        _error(
            "the CVM can have no more public IPs, ENIs or addresses",
            "Pods that need one more",
            "move Pods to another node; let Pods request the extended resources that the scheduler counts",
        ),
    )
    SUBNET_FULL = (
        "SubnetFull",
        _error(
            "the subnet of an ENI has no free address",
            "Pods that need an address from there",
            "name another subnet of the zone in --pod-subnets, or free addresses",
        ),
    )
    SUBNET_LOW = (
        "SubnetLow",
        _warning(
            "a subnet from which the node gets addresses is nearly full",
            "soon: Pods that need an address from there, on all nodes that use it",
            "name another subnet of the zone in --pod-subnets or a NodeENIConfig, or free addresses",
        ),
    )
    ARREARS = (
        "Arrears",
        _error(
            "the account is in arrears, or has no balance",
            "orders of EIPs, and EIPs that the cloud isolates",
            "pay; isolated EIPs come back by themselves",
        ),
    )
    CREDENTIALS_REFUSED = (
        "CredentialsRefused",
        _error(
            "the cloud does not accept the signature of calls",
            "every call of the cloud",
            "look at the CVM's CAM role, at the Secret, and at the node's clock",
        ),
    )
    CLOUD_REFUSES = (
        "CloudRefuses",
        _warning(
            "an action of the cloud fails for another reason",
            "whatever needs that action",
            "do what the message says; the agent tries again by itself",
        ),
    )
    NODE_FULL = (
        "NodeFull",
        _info(
            "all addresses that the node can have are taken",
            "nothing that runs: a further Pod needs another node",
            "let Pods request tke.cloud.tencent.com/eni-ip, so that the scheduler counts them",
        ),
    )
    NODE_DISABLED = (
        "NodeDisabled",
        _info(
            "the node's configuration has no addresses for Pods",
            "nothing that runs: a further Pod needs another node",
            "enable the node again in the NodeENIConfig, or remove the annotation, that the message names",
        ),
    )
    CONFIG_REFUSED = (
        "ConfigRefused",
        _warning(
            "a NodeENIConfig, or an annotation of the Node, is wrong",
            "only what was to be changed: the last good configuration holds",
            "do what the message says; `ipamctl settings` shows what holds and where it is from",
        ),
    )
    # ---- who does not answer
    CLOUD_AWAY = (
        "CloudAway",
        _error(
            "the cloud's API has not answered for a while",
            "EIPs and addresses that have to come; Pods that run go on",
            "look at the way to the API (--cloud-endpoint, DNS, security group)",
        ),
    )
    METADATA_AWAY = (
        "MetadataAway",
        _error(
            "the metadata service of the CVM has not answered for a while",
            "the start of the agent, and the credential of the CVM's role",
            "`curl http://metadata.tencentyun.com/latest/meta-data/instance-id` on the node",
        ),
    )
    API_SERVER_AWAY = (
        "ApiServerAway",
        _error(
            "the API server of the cluster has not answered for a while",
            "Pods that start and end are not known; Pods that run go on",
            "look at the API server, and at the way to it (--master, kubeconfig, proxy)",
        ),
    )
    CLOCK_WRONG = (
        "ClockWrong",
        _error(
            "the node's clock differs from that of the cloud or the API server",
            "the cloud refuses signatures that are five minutes off; logs and Events mislead",
            "start chrony or ntpd on the node: `chronyc makestep`",
        ),
    )
    NOT_SYNCED = (
        "NotSynced",
        _warning(
            "a watch of the API server has not told what there is",
            "what the agent does not know of",
            "look at the API server, and at deploy/rbac.yaml",
        ),
    )
    # ---- the node itself
    CNI_CONFIGURATION = (
        "CniConfiguration",
        _error(
            "the runtime's network configuration is missing, changed, or another one comes before it",
            "Pods start without our network, or not at all",
            "do what the message says; docs/install.md#the-network-configuration",
        ),
    )
    PLUGIN_MISSING = (
        "PluginMissing",
        _warning(
            "a plugin that is chained behind ours (portmap, bandwidth) is not on the node",
            "only what it does: hostPort of Pods (portmap), or their bandwidth annotations; all else works",
            "install it in the CNI directory, where it is chained at once; or `--no-port-mapping`",
        ),
    )
    STORE_UNWRITABLE = (
        "StoreUnwritable",
        _error(
            "the agent's store does not take what happens",
            "Pods do not start; what happens is forgotten at a crash",
            "make room on the node's disk, or mount it writable (--state-dir)",
        ),
    )
    AGENT_NOT_RUNNING = (
        "AgentNotRunning",
        _error(
            "no agent listens at the socket",
            "Pods neither start nor get their EIPs; Pods that run go on, unrepaired",
            "`kubectl -n kube-system get pods -o wide`, and the log of the node's tke-eni-agent Pod",
        ),
    )
    AGENT_STARTING = (
        "AgentStarting",
        _warning(
            "an agent starts and does not serve yet",
            "Pods do not start until it serves; Pods that run go on",
            "wait; if it stays at this step, do what the message says",
        ),
    )
    AGENT_HUNG = (
        "AgentHung",
        _error(
            "the agent does not answer within the time",
            "Pods neither start nor get their EIPs; Pods that run go on, unrepaired",
            "the kubelet restarts it by /livez; if not, delete the node's tke-eni-agent Pod",
        ),
    )
    NOT_LOOKED_AT = (
        "NotLookedAt",
        _warning(
            "a part could not be looked at",
            "it is not known whether that part is right",
            "do what the message says, and check again",
        ),
    )

    def __init__(self, text: str, facts: CodeFacts) -> None:
        """Take what it is called, and what is the same for all of its findings."""
        self.text = text
        self.facts = facts


def code_of(text: str) -> FindingCode:
    """Return the code that is called so. Raises: KeyError."""
    return _BY_TEXT[text]


_BY_TEXT: Final = {code.text: code for code in FindingCode}
