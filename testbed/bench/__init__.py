"""Ratios against a peer, Debian's `ptp` with `host-local`, measured in one run on one node.

Absolute times depend on the machine; a ratio of medians of interleaved rounds does not. Nothing here asserts.
"""
