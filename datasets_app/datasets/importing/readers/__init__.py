"""Reading a file row by row in constant memory. All cells stay text; unreadable parts are reported with their
position.
"""

from datasets_app.datasets.importing.readers.archives import find_fault
from datasets_app.datasets.importing.readers.encodings import (
    ENCODINGS,
    Misfit,
    find_encoding,
    first_unreadable,
)
from datasets_app.datasets.importing.readers.files import about_rows, header, read_rows
from datasets_app.datasets.importing.readers.shapes import (
    BINARY,
    DELIMITERS,
    PARSERS,
    TEXTUAL,
    WITH_HEADER,
    Answer,
    Header,
    RawLabeling,
    Reading,
    Row,
)
from datasets_app.datasets.importing.readers.sources import open_source
from datasets_app.datasets.importing.readers.watching import TooSlow, step, watched, within

__all__ = [
    "BINARY",
    "DELIMITERS",
    "ENCODINGS",
    "PARSERS",
    "TEXTUAL",
    "WITH_HEADER",
    "Answer",
    "Header",
    "Misfit",
    "RawLabeling",
    "Reading",
    "Row",
    "TooSlow",
    "about_rows",
    "find_encoding",
    "find_fault",
    "first_unreadable",
    "header",
    "open_source",
    "read_rows",
    "step",
    "watched",
    "within",
]
