"""Everything that people fill in to label, and what the pages send for them."""
