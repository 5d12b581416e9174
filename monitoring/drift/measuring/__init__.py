"""From counts of a window and of the reference to what each monitor shows. Pure."""
