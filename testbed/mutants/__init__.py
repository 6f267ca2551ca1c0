"""Do the tests notice one wrong operator? Each is tried in a copy of the project under the tests that run it.

The operators are cosmic-ray's. What it lacks stands here: a bounded sample, tests chosen for each mutant by
what `make coverage` has recorded (daemons included), and a copy for each worker (docs/adr/0021).
"""
