"""What is wrong with a node, in a form that people and programs can act on. Pure."""
