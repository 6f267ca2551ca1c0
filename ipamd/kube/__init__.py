"""The Kubernetes API as plain JSON: requests, list-watch caches, Events, Leases."""
