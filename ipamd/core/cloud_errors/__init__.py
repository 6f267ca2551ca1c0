"""Failed calls of the cloud: what each means, and what is done about it. Pure."""
