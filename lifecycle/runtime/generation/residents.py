"""Which versions' weights are in memory beside their base model: the last used ones."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

from lifecycle.runtime.generation.network import Network
from lifecycle.runtime.generation.rules import Adapter, Prefix

RESIDENT = 16  # adapters in memory; at least as many as there are rows in a batch


class Residents:
    """The versions of one base model. Adapters are read when their first prompt comes, and dropped when
    others were used since; prefixes are small, and stay. Everything runs in the batcher's thread.
    """

    def __init__(self, network: Network, limit: int = RESIDENT) -> None:
        self._network, self._limit = network, limit
        self._readers: dict[str, Callable[[], Adapter]] = {}
        self._prefixes: dict[str, Prefix] = {}
        self._used: OrderedDict[str, None] = OrderedDict()
        self._users: Counter[str] = Counter()  # a version may be loaded again before it was forgotten

    def add(self, version: str, reader: Callable[[], Adapter]) -> None:
        """A version with an adapter. reader: reads it from its files."""
        self._users[version] += 1
        self._readers[version] = reader

    def keep(self, version: str, prefix: Prefix) -> None:
        """A version with virtual tokens."""
        self._users[version] += 1
        self._prefixes[version] = prefix

    def forget(self, version: str) -> None:
        """The end of an `add` or a `keep`; the last one drops the version."""
        self._users[version] -= 1
        if self._users[version] > 0:
            return
        del self._users[version]
        self._readers.pop(version, None)
        self._prefixes.pop(version, None)
        if version in self._used:
            self._drop(version)

    def __call__(self, version: str, used: frozenset[str]) -> Prefix | None:
        """Make sure that a version can answer, and return its virtual tokens if it has some. used: versions
        of answers in progress, which stay. Raises KeyError for an unknown version.
        """
        if not version or version in self._prefixes:
            return self._prefixes.get(version)
        reader = self._readers[version]
        if version not in self._network.adapters:
            idle = [each for each in self._used if each not in used]
            for each in idle[: max(0, len(self._used) + 1 - self._limit)]:
                self._drop(each)
            self._network.adapters.put(version, reader())
        self._used[version] = None
        self._used.move_to_end(version)
        return None

    def _drop(self, version: str) -> None:
        self._network.adapters.drop(version)
        del self._used[version]
