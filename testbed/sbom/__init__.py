"""The bill of materials of the image: CycloneDX JSON, from what the archive itself has of Debian and Python.

In an environment of its own (`requirements.lock`): whoever releases needs the library, and nobody else.
"""
