"""One module per task: how its rows are encoded, collated, modelled, decoded and scored."""
