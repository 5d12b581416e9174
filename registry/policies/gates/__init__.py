"""The gates of a policy: evidence in, finding out. A gate that could not run has failed. Pure."""
