"""The CNI verbs: what a runtime asks, from the gRPC call to the answer."""
