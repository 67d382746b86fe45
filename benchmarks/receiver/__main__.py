"""`make bench-receiver`: how fast the receiver is, next to a bare handler and to nginx.

All on this machine and on loopback, alternately: the same server with a Flask handler that only
reads the body, this receiver, nginx writing bodies to its access log without a sync.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.receiver import page
from benchmarks.receiver.patience import patience_of
from benchmarks.receiver.servers import granian, gunicorn, nginx, receiver
from benchmarks.receiver.soak import soak
from benchmarks.receiver.speed import BATCH, SINGLE, at_share, compare

_NEEDED = {"wrk": "wrk", "nginx": "nginx-light"}


def main() -> None:
    """Measure, and write the page."""
    options = _options()
    if missing := [package for program, package in _NEEDED.items() if not shutil.which(program)]:
        sys.exit(
            f"Not installed: {', '.join(missing)}. On Debian: apt-get install {' '.join(missing)}"
        )
    with tempfile.TemporaryDirectory(prefix="bench-receiver-", dir=options.folder) as name:
        for title, lines in _sections(Path(name), options):
            page.write_page({title: lines})
            print("\n".join(["", *lines, ""]))
    print(f"written: {page.PAGE}")


def _sections(folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    if "speed" in options.parts:
        yield "Speed", _speed(folder, options.rounds, options.seconds)
    if "servers" in options.parts:
        yield "Servers under Flask", _servers(folder, options.rounds, options.seconds)
    if options.soak:
        said = page.server_conditions()
        yield "Memory", [said, "", *page.soak_lines(soak(folder, options.soak))]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each server is measured")
    parser.add_argument("--seconds", type=float, default=2, help="for how long each time")
    parser.add_argument(
        "--soak", type=float, nargs="?", const=300, default=0, help="watch the memory: seconds"
    )
    parser.add_argument(
        "--parts", nargs="*", choices=["speed", "servers"], default=["speed", "servers"]
    )
    parser.add_argument("--folder", type=Path, help="where to land")
    return parser.parse_args()


def _speed(folder: Path, rounds: int, seconds: float) -> list[str]:
    said = page.server_conditions()
    servers = {
        page.BARE: gunicorn("bare", "gevent"),
        page.OURS: receiver,
        page.NGINX: nginx,
    }
    results = compare(servers, folder, rounds=rounds, seconds=seconds)
    highest, paced = at_share(receiver, folder, page.SHARE, rounds=rounds, seconds=seconds)
    lines = page.speed_lines(results, rounds, seconds)
    return [said, "", *lines, page.paced_line(highest, paced)]


def _servers(folder: Path, rounds: int, seconds: float) -> list[str]:
    said = page.server_conditions()
    names = ("gunicorn gevent", "gunicorn gthread", "granian")
    bare, landing = (
        dict(
            zip(
                names,
                [gunicorn(app, "gevent"), gunicorn(app, "gthread"), granian(app)],
                strict=True,
            )
        )
        for app in ("bare", "receiver")
    )
    empty = compare(bare, folder, rounds=rounds, seconds=seconds, sizes=[SINGLE])
    full = compare(landing, folder, rounds=rounds, seconds=seconds, sizes=[SINGLE, BATCH])
    borne = {name: patience_of(command, folder) for name, command in landing.items()}
    return [said, "", *page.server_lines(empty, full, borne)]


if __name__ == "__main__":
    main()
