"""The life of an EIPClaim: what it says, and what is to be done about it next. Pure."""
