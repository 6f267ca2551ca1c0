"""What a Pod asks for by its annotations, and what the webhook adds to it. Pure."""
