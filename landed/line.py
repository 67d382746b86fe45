"""A landed line, as landing/README.md has it: how it begins, and what its checksum covers."""

from zlib import crc32

HEAD = b'{"v":1,"crc":"'
"""What every line of this version begins with; the checksum stands behind it."""

CRC = slice(len(HEAD), len(HEAD) + 8)

COVERED = slice(CRC.stop + 1, None)
"""What the checksum is of, the line break left out: all that is behind its closing quote."""

PAYLOAD = b',"payload":'
"""What an event stands behind, which is the last of its line."""

MAX_DEPTH = 128
"""The deepest an event may nest: deeper JSON has been seen to crash DuckDB's struct functions."""


def checksum(covered: bytes) -> bytes:
    """CRC-32 in eight lower-case hex digits."""
    return b"%08x" % crc32(covered)
