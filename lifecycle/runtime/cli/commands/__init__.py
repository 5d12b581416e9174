"""A module for each noun that has hand-written verbs or formats results itself; each has `noun`."""
