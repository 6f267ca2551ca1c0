"""What brings the CNI plugin to a node: the work of the DaemonSet's init container. Standard library only."""
