"""Flags: a program's settings are a dataclass whose fields declare them (`declaration`).

A flag's name, default, bounds and help stand in its field alone; the parser, the settings and the tables of
the documentation follow from it. The default of a value that the core or an adapter defines stands there.
"""
