"""A real Kubernetes cluster on one machine, its nodes on the simulated VPC.

Real etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy, containerd and runc.
A CVM of the region becomes a machine of the cluster: the network namespace that the simulator made for it,
with mounts, process ids and control groups of its own (`machine`). Nothing of the host is changed, and
nothing runs on when the process that runs the cluster ends, however it ends.

`python -m testbed.cluster` runs one; `under_test` is what tests use of it.
"""
