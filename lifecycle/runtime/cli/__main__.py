"""`python -m lifecycle.runtime.cli`, where the command itself is not on the path."""

from __future__ import annotations

from lifecycle.runtime.cli.main import main

main()
