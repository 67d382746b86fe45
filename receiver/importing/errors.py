"""Why a file cannot be imported; each text is a sentence about the file."""


class FileError(Exception):
    """One file cannot be imported; the others can."""


class UnreadableError(FileError):
    """It cannot be read now; what was read of it is kept, and a later import goes on there."""


class UselessError(FileError):
    """What it holds cannot be trusted, so nothing of it is kept."""


class CutShortError(Exception):
    """The file ends in the middle; what stands before is good."""
