"""Tables of docs/ that follow from the code: `make docs` writes them, `tests/docs` compares them.

A page has a place for a table between two markers, which name it:

    <!-- generated: agent flags; by `make docs` -->
    <!-- end of agent flags -->
"""
