"""What runs in a daemon and how: loops, workers, queues, locks and limits, each once.

Standard library and `ipamd.core` only; agent, controller and adapters build on it.
"""
