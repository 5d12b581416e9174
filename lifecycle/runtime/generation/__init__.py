"""Generating text with a decoder: many answers at once, each with its own adapter, prompt, and sampling."""
