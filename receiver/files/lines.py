"""Lines on their way to the disk, by the folder they go to."""

from collections import defaultdict
from collections.abc import Sequence


class Lines:
    """The landed lines of one request, or of all that are committed together.

    Attributes:
        by_folder: the lines, each ended by a line break.
        events: how many there are.
        size: how long they are together.
    """

    __slots__ = ("by_folder", "events", "size")

    def __init__(self) -> None:
        """Start with none."""
        self.by_folder: dict[str, list[bytes]] = defaultdict(list)
        self.events = 0
        self.size = 0

    def add(self, folder: str, line: bytes) -> None:
        """Add one line."""
        self.add_all(folder, [line])

    def add_all(self, folder: str, lines: Sequence[bytes]) -> None:
        """Add lines of one folder."""
        self.by_folder[folder] += lines
        self.events += len(lines)
        self.size += sum(map(len, lines))

    def extend(self, other: "Lines") -> None:
        """Add all lines of another."""
        for folder, lines in other.by_folder.items():
            self.by_folder[folder] += lines
        self.events += other.events
        self.size += other.size
