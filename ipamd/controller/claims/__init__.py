"""The work on single claims: look, decide by the core's rules, act."""
