"""ip-masq-agent's configuration, kept in step with the Pods that have an EIP."""
