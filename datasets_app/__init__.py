"""From files that people bring to frozen snapshots that models learn from."""

import os

os.environ.setdefault("OPENPYXL_LXML", "False")  # lxml, where it is there too, reads line ends and reports damage in its own way
