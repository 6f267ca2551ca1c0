"""A whole node on one machine: region, agent, controller, and the part of the container runtime."""
