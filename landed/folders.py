"""The folders of `landing/`, as its README.md has them: those of the calls, and what is beside.

The word for a call names folder, raw table, asset and final table.
"""

CALLS = ("group", "identify", "page", "screen", "track", "alias", "delete")
"""The calls of Segment's spec, each landed in a folder of its name."""

DELETE = "delete"
"""The call that orders an erasure."""

REJECTED = "rejected"
"""The eighth folder and table: what was authenticated but cannot be used."""

FOLDERS = (*CALLS, REJECTED)

IMPORTS = "imports"
"""The folder in which files from elsewhere become landed ones."""

SUPPRESSED = "suppressed"
"""The folder that says whose events are not stored: in a list, by hashes made with a key."""

NOT_STORED = "not_stored"
"""The folder of how many events were answered and not stored, by the hour."""

SUPPRESSED_LIST = "list.ndjson"
SUPPRESSED_KEY = "key"

REMOTE = "remote"
"""The folder of what the exchange with an object store knows, and of what is on its way here."""

BRINGING = f"{REMOTE}/bringing"
"""Here while all of a store is brought: until it has come, this is nobody's replica."""
