"""ENIs that one Pod each has as a whole: which there are, where their links are, how many are kept."""
