"""`ipamctl preflight`: looks at node, account and cluster before an installation; changes nothing."""
