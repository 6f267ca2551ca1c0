"""The status page of both daemons as HTML: made from values, of which every one is taken for hostile.

Nothing of it is imported before somebody asks for the page.
"""
