"""The pool of free addresses: how many there should be, and how they are made."""
