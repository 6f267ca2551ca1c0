"""The two StatefulSets of TKE's page on Pod EIPs, word for word; they live in the namespace `default`."""

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.workloads import SERVE

_STATEFUL_SET = """\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  labels:
    k8s-app: busybox
  name: busybox
  namespace: default
spec:
  replicas: 1
  selector:
    matchLabels:
      k8s-app: busybox
      qcloud-app: busybox
  serviceName: ""
  template:
    metadata:
      annotations:
        tke.cloud.tencent.com/networks: "tke-route-eni"
{annotations}
      creationTimestamp: null
      labels:
        k8s-app: busybox
        qcloud-app: busybox
    spec:
      containers:
      - args:
        - "10000000000"
        command:
        - sleep
        image: busybox
        imagePullPolicy: Always
        name: busybox
        resources:
          limits:
            tke.cloud.tencent.com/eni-ip: "1"
            tke.cloud.tencent.com/eip: "1"
          requests:
            tke.cloud.tencent.com/eni-ip: "1"
            tke.cloud.tencent.com/eip: "1"
"""

CREATED = _STATEFUL_SET.format(
    annotations="""\
        tke.cloud.tencent.com/eip-attributes: '{"Bandwidth":"100","ISP":"BGP"}'
        tke.cloud.tencent.com/eip-claim-delete-policy: "Never"\
"""
)
"""Under "create an EIP automatically"."""

WITH_OWN_ENI = CREATED.replace("tke-route-eni", "tke-direct-eni").replace("/eni-ip", "/direct-eni")
"""The same in exclusive ENI mode: its network and its resource, as the page on the modes names them."""

GIVEN = _STATEFUL_SET.format(
    annotations="""\
        tke.cloud.tencent.com/eip-id-list: "eip-xxx1,eip-xxx2"\
"""
)
"""Under "name EIPs"; eip-xxx1 and eip-xxx2 stand for the reader's own."""


def serve(cluster: ClusterUnderTest, pod: str) -> None:
    """Let a Pod of the page, which only sleeps, answer with its name at port 80."""
    cluster.exec("default", pod, "sh", "-c", SERVE.replace("exec httpd -f", "httpd"))
