"""The calls of Segment's spec that are landed, each in a folder of its name."""

CALLS = frozenset({"group", "identify", "page", "screen", "track", "alias", "delete"})

REJECTED = "rejected"
"""The folder for what was authenticated but cannot be used."""

FOLDERS = (*sorted(CALLS), REJECTED)

IMPORTS = "imports"
"""The folder in which files from elsewhere become landed ones."""
