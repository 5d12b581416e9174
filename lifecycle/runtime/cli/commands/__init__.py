"""A module for each noun with verbs of its own, or with results that its own functions draw; each has `noun`."""
