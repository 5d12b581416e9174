"""The command `lifecycle`: a client of the REST API and of the inference server. No Django, no torch, nothing but the standard library."""
