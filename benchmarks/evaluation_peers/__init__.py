"""Libraries whose numbers an evaluation has to give, each run by its own interpreter."""
