"""What text generation is measured beside, each for an environment of its own."""
