"""`python -m lifecycle.runtime.cli`, where the command itself is not on the path."""

from __future__ import annotations

import sys

from lifecycle.runtime.cli.main import main

sys.exit(main())
