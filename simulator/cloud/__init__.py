"""The cloud API on the wire and the state behind it."""
