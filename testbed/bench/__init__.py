"""Ratios against peers, measured in turn in one run on one node: `make bench`.

Absolute times depend on the machine; a ratio of interleaved rounds does not. Nothing here asserts. A part of
the bench (`part`) measures some keys of the table (`aims`); `parts` lists all of them.
"""
