"""What has happened to the Pods of a node, kept for a while, and what it means. Pure."""
