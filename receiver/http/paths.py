"""Paths: runs of slashes count as one, and what of an unknown path may be shown."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from receiver.senders.sources import Sources

_SLASHES = re.compile("//+")
_WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,15}|[Vv][0-9]{1,2}")
_MOST_STEPS = 3
_KEY_BEHIND = "projects"

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def one_slash(application: Application) -> Application:
    """Return an application that takes a run of slashes in a path as one.

    A host that was set with a slash at its end makes `/v1//t` of every path. There is no redirect:
    senders do not follow one with a POST.
    """

    def with_one(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if "//" in path:
            environ["PATH_INFO"] = _SLASHES.sub("/", path)
        return application(environ, start_response)

    return with_one


def shown_path(path: str, sources: Sources) -> str:
    """Return what of an unknown path a log may hold: its first steps, where they are plain words.

    A write key may stand in a path, or an address of a person. So a step with digits or signs in
    it, a long one, one that is a key or stands where keys do, is a dot.
    """
    steps = _SLASHES.sub("/", path).strip("/").split("/")
    shown: list[str] = []
    for number, step in enumerate(steps[:_MOST_STEPS]):
        is_hidden = number > 0 and steps[number - 1] == _KEY_BEHIND
        shown.append("…" if is_hidden or not _is_plain(step, sources) else step)
    return "/" + "/".join([*shown, "…"] if len(steps) > _MOST_STEPS else shown)


def _is_plain(step: str, sources: Sources) -> bool:
    return not step or (bool(_WORD.fullmatch(step)) and not sources.is_credential(step))
