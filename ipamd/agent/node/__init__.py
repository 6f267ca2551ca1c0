"""The node itself: its facts, its repair, what it reports."""
