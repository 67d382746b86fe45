"""`python -m fuzz SECONDS [TARGET]`: look for inputs that break an invariant, guided by coverage.

The time is shared by the targets, one after the other, each in a process of its own. What was
found to reach new code stays in `.fuzz/<target>/`, and the next run starts from it. An input that
breaks an invariant is kept there as `crash-…`; `python -m fuzz 0 TARGET FILE` runs it again.
"""

import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from itertools import chain
from pathlib import Path

from fuzz import json_texts

CORPORA = Path(__file__).parents[1] / ".fuzz"


def main() -> None:
    """Run the targets named, or all of them; exit with 1 if one found something."""
    if len(sys.argv) < 2:  # noqa: PLR2004
        sys.exit(__doc__)
    seconds, *rest = sys.argv[1:]
    if seconds == "target":
        _fuzz(*rest)
    elif len(rest) > 1:
        sys.exit(_run(rest[0], rest[1]))
    else:
        sys.exit(_run_all(int(seconds), rest))


def _run_all(seconds: int, names: list[str]) -> int:
    from fuzz.invariants import INVARIANTS  # noqa: PLC0415 - the targets import it instrumented

    names = names or list(INVARIANTS)
    statuses = []
    for name in names:
        corpus = CORPORA / name
        _plant(corpus, _seeds())
        limit = f"-max_total_time={max(1, seconds // len(names))}"
        statuses.append(_run(name, limit, f"-artifact_prefix={corpus}/", str(corpus)))
    return int(any(statuses))


def _run(name: str, *arguments: str) -> int:
    command = [sys.executable, "-m", "fuzz", "target", name, *arguments]
    return subprocess.run(command, check=False).returncode


def _fuzz(name: str, *arguments: str) -> None:
    import atheris  # noqa: PLC0415 - only `make fuzz` installs it

    with atheris.instrument_imports(include=["receiver", "fuzz.invariants"]):
        from fuzz.invariants import INVARIANTS  # noqa: PLC0415

    atheris.Setup([name, "-max_len=8192", "-timeout=10", *arguments], INVARIANTS[name])
    atheris.Fuzz()


def _seeds() -> Iterable[bytes]:
    texts = (text.text for text in json_texts.events())
    return chain(texts, json_texts.batches(), json_texts.arrays(), json_texts.signatures())


def _plant(corpus: Path, seeds: Iterable[bytes]) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)


if __name__ == "__main__":
    main()
