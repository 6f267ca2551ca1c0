"""What the region is at a moment, and the changes that are under way.

Plain data and pure transitions: no locks, no threads, no clock (`now` is an argument), no data plane (its
calls are returned as effects). `simulator.cloud.region` holds the one lock around it.
"""
