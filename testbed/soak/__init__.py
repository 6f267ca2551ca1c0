"""Endurance: the same work again and again, and what of both daemons and the node must not grow by it."""
