"""A large cluster on one account: how soon the controller serves it, and what all agents together may ask."""
