"""The admission webhook: its server, its certificate, its registration."""
