"""Landed files of made-up events, as a browser's library sends them: 1.3 kB each."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from receiver.files.envelope import good_line, received_stamps

FILE_BYTES = 16_000_000
"""The size at which a file of a call is full, and another one is begun."""

SENT_AGAIN = 0.03
"""How many events of one come a second time."""

SHARES = {"track": 60, "page": 25, "identify": 10, "screen": 2, "group": 2, "alias": 1}
_EVENTS = (
    *("Product Viewed", "Product Added", "Cart Viewed", "Checkout Started", "Order Completed"),
    *("Products Searched", "Coupon Entered", "Signed Up", "Banner Clicked", "Video Watched"),
)
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML) Mobile",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
)
_BEGIN = 1_767_607_200_000_000


def land(
    landing: Path, events: int, seed: int = 5, begin: int = _BEGIN, again: float = SENT_AGAIN
) -> int:
    """Land so many events, some of them twice.

    Args:
        landing: Where.
        events: How many, without those that come once more.
        seed: What makes them other ones.
        begin: When the first is received, in microseconds since 1970.
        again: How many of one come a second time.

    Returns:
        The bytes of the files.
    """
    files: dict[str, list[bytes]] = {call: [] for call in SHARES}
    sizes = dict.fromkeys(SHARES, 0)
    total = number = 0
    for call, line in _lines(events, random.Random(seed), begin, again):  # noqa: S311
        files[call].append(line)
        sizes[call] += len(line)
        total += len(line)
        if sizes[call] >= FILE_BYTES:
            number += 1
            land_lines(landing, call, files[call], seed, number)
            files[call], sizes[call] = [], 0
    for call, lines in files.items():
        number += 1
        land_lines(landing, call, lines, seed, number)
    return total


def land_lines(landing: Path, call: str, lines: list[bytes], seed: int, number: int) -> None:
    """Land a file of a call, if there are lines for it."""
    if lines:
        folder = landing / call
        folder.mkdir(parents=True, exist_ok=True)
        name = f"20260105T100000-bench-1-{seed:08x}-{number:06d}.ndjson"
        (folder / name).write_bytes(b"".join(lines))


def _lines(
    events: int, rng: random.Random, begin: int, again: float
) -> Iterator[tuple[str, bytes]]:
    stamps = received_stamps(begin)
    calls = [call for call, share in SHARES.items() for _ in range(share)]
    waiting: list[tuple[str, str, bytes]] = []
    for number in range(events):
        call = calls[rng.randrange(100)]
        stamp = next(stamps)
        event = _event(number, call, stamp, rng)
        payload = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        message_id = event["messageId"]
        yield call, good_line(message_id, stamp, event["sentAt"], "web", payload, "browser")
        if rng.random() < again:
            waiting.append((call, message_id, payload))
        if len(waiting) > 50:  # noqa: PLR2004 - some while later
            call, message_id, payload = waiting.pop(rng.randrange(50))
            yield call, good_line(message_id, next(stamps), None, "web", payload, "browser")


def _event(number: int, call: str, stamp: str, rng: random.Random) -> dict[str, Any]:
    path = f"/products/{number % 900}/größe-{number % 7}"
    event: dict[str, Any] = {
        "anonymousId": f"{rng.getrandbits(128):032x}",
        "channel": "client",
        "context": _context(number, path, rng),
        "integrations": {"All": True},
        "messageId": f"ajs-next-{rng.getrandbits(128):032x}",
        "originalTimestamp": f"{stamp[:20]}{number % 1000:03d}Z",
        "receivedAt": stamp,
        "sentAt": f"{stamp[:20]}{number % 1000:03d}Z",
        "timestamp": f"{stamp[:20]}{number % 1000:03d}Z",
        "type": call,
        "userId": f"user-{number % 20_000}" if number % 3 else None,
        "version": 2,
        "_metadata": {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []},
    }
    return event | _OF_CALL[call](number, path, rng)


def _context(number: int, path: str, rng: random.Random) -> dict[str, Any]:
    context: dict[str, Any] = {
        "ip": f"203.0.113.{number % 250}",
        "library": {"name": "analytics.js", "version": "2.1.0"},
        "locale": "de-DE",
        "page": {
            "path": path,
            "referrer": "https://www.example.com/search",
            "search": "?q=schuhe",
            "title": "Schuhe und mehr, für alle Tage",
            "url": f"https://shop.example{path}?q=schuhe",
        },
        "screen": {"width": 1920, "height": 1080, "density": rng.choice((1, 1.5, 2))},
        "timezone": "Europe/Berlin",
        "userAgent": _AGENTS[number % 3],
        "userAgentData": {
            "brands": [{"brand": "Chromium", "version": "142"}, {"brand": "Not", "version": "8"}],
            "mobile": False,
            "platform": "Linux",
        },
    }
    if number % 4 == 0:
        context["campaign"] = {"name": "spring", "source": "mail", "medium": "email"}
    return context


def _track(number: int, path: str, rng: random.Random) -> dict[str, Any]:
    kind = rng.randrange(len(_EVENTS))
    price = rng.randint(100, 90_000)
    properties: dict[str, Any] = {
        "price": price / 100 if price % 5 else price // 100,
        "currency": "EUR",
        "sku": f"sku-{number % 5000}",
        "position": number % 20,
        "url": path,
    }
    if kind in {2, 3, 4}:
        properties["products"] = [
            {"product_id": f"p-{n}", "price": n + 0.5, "quantity": n, "name": f"Schuh {n}"}
            for n in range(1, 2 + number % 3)
        ]
        properties["order_id"] = f"o-{rng.getrandbits(40):x}"
    if number % 5 == 0:
        properties["coupon"] = "MAI"
    properties |= {f"{_EVENTS[kind][:4].lower()}_{n}": f"value {n}" for n in range(4)}
    return {"event": _EVENTS[kind], "properties": properties}


def _page(number: int, path: str, _: random.Random) -> dict[str, Any]:
    properties = {"path": path, "title": f"Seite {number % 900}", "url": f"https://shop{path}"}
    return {"name": f"Seite {number % 900}", "properties": properties | {"depth": number % 9}}


def _identify(number: int, _: str, __: random.Random) -> dict[str, Any]:
    address = {"city": "Köln", "country": "DE", "postalCode": f"{number % 90_000:05d}"}
    traits = {"email": f"user-{number % 20_000}@shop.example", "plan": "free", "age": number % 80}
    return {"traits": traits | {"address": address, "logins": number % 40}}


def _group(number: int, _: str, __: random.Random) -> dict[str, Any]:
    return {"groupId": f"g-{number % 300}", "traits": {"name": "Verein", "seats": number % 50}}


def _alias(number: int, _: str, __: random.Random) -> dict[str, Any]:
    return {"userId": f"user-{number % 20_000}", "previousId": f"old-{number % 20_000}"}


_OF_CALL: dict[str, Callable[[int, str, random.Random], dict[str, Any]]] = {
    "track": _track,
    "page": _page,
    "screen": _page,
    "identify": _identify,
    "group": _group,
    "alias": _alias,
}
