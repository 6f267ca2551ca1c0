"""What takes all that is ours off a node: the work of a Pod of `kubectl eni uninstall`."""
