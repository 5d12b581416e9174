"""`python -m lifecycle.cli`, where the command itself is not on the path."""

from __future__ import annotations

from lifecycle.cli.main import main

main()
