"""`python -m lifecycle.runtime.inference.guarded`: a server that ends with the process that started it."""

from __future__ import annotations

import sys

from lifecycle.runtime.engine.program import leave_with_parent
from lifecycle.runtime.inference.__main__ import main

if __name__ == "__main__":
    leave_with_parent()
    sys.exit(main())
