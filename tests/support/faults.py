"""Faults of the engine, asserted by their code or field and by the names in them, not by their text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.faults import EngineFault


@contextmanager
def fault(code: str, *naming: str) -> Iterator[pytest.ExceptionInfo[EngineFault]]:
    """What is inside ends with this fault. naming: what its sentence must hold, such as numbers and names."""
    with pytest.raises(EngineFault) as raised:
        yield raised
    message = raised.value.message
    assert (raised.value.code, [name for name in naming if name not in message]) == (code, []), message


@contextmanager
def wrong_setting(field: str, *naming: str) -> Iterator[pytest.ExceptionInfo[SpecError]]:
    """What is inside is refused for this field of a spec. naming: as of `fault`."""
    with pytest.raises(SpecError) as raised:
        yield raised
    message = raised.value.message
    assert (raised.value.field, [name for name in naming if name not in message]) == (field, []), message
