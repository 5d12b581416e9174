"""One module for each kind of work. Each has `add`, which tells the parser its commands, and a function for each command."""
