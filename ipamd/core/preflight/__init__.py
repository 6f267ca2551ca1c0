"""Whether node, account and cluster are fit for an installation: what was seen, judged. Pure."""
