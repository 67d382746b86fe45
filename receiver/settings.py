"""The receiver's settings: every number and path it can be told, read once."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, HttpUrl
from pydantic_settings import NoDecode

from landed.line import MAX_DEPTH
from landed.settings import (
    IS_NUMBER,
    MB,
    Count,
    Port,
    RootedFile,
    Seconds,
    Share,
    SharedSettings,
    Size,
    SizeOrNothing,
    WholeSeconds,
    YesOrNo,
    has_to_be,
)


def _base_address(url: HttpUrl | None) -> HttpUrl | None:
    if url and (url.username or url.password or url.query or url.fragment):
        raise ValueError("only scheme, host, port and path belong in it")
    return url


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


PublicUrl = Annotated[
    HttpUrl | None,
    AfterValidator(_base_address),
    has_to_be(
        "an http:// or https:// address of scheme, host, port and path alone, "
        "such as https://events.example.com",
        is_shown=False,
    ),
]
Networks = Annotated[
    tuple[IPv4Network | IPv6Network, ...] | None,
    NoDecode,
    BeforeValidator(_split),
    has_to_be("networks with commas between, such as 127.0.0.1,10.0.0.0/8"),
]


class Settings(SharedSettings):
    """What the receiver alone reads, beside what all parts do."""

    sources: RootedFile = Path("sources.toml")
    """File that names the senders, their write keys and their shared secrets."""

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: Port = 8000
    """Port to listen on."""

    metrics_host: str = "127.0.0.1"
    """Address that `/metrics` is on, where it has a port of its own."""

    metrics_port: Port | None = None
    """Port of its own for `/metrics`; without one only this machine is shown it."""

    live_key: RootedFile | None = None
    """File with the key of the live page, readable by its owner alone; without one there is no
    such page."""

    public_url: PublicUrl = None
    """Address browsers and devices reach the receiver by, `https://events.example.com`.

    Without it the settings for analytics.js are given to browsers on this machine only: the
    Host header is the client's word, and is not repeated to others.
    """

    trusted_proxies: Networks = None
    """Networks whose X-Forwarded-For is believed, with commas between: `127.0.0.1,10.0.0.0/8`."""

    landing_direct: YesOrNo = False
    """Whether events are put into `landing_remote` before they are answered, for a machine without
    a disk that stays. `landing` then holds counts alone."""

    workers: Count = 2
    """Processes that receive; one per core is a good start."""

    keepalive_seconds: WholeSeconds = 75
    """How long an idle connection is kept open: longer than balancers and SDKs keep theirs."""

    seal_bytes: Size = ByteSize(64 * MB)
    """Size at which a file that is being written is handed to the loader."""

    body_bytes: Size = ByteSize(128 * MB)
    """Largest request body, unpacked: Segment's largest batch, 4,000 events of 32 kB."""

    body_seconds: Seconds = 60
    """Longest time a request's body may take to arrive; a slower one is answered 408."""

    bodies_bytes: Size = ByteSize(512 * MB)
    """Bytes of bodies one process holds at once before senders are told to come back; each has a
    share of them."""

    keyless_bytes: Size = ByteSize(MB)
    """Largest request without a key in its header, unpacked: it is read before it is known who
    sends it. Segment's own limit is 500 kB. Of what is signed, `event_bytes` if that is more."""

    keyless_seconds: Seconds = 20
    """Longest time the body of such a request may take to arrive; some are given half of it."""

    body_rate_bytes: SizeOrNothing = ByteSize(1000)
    """Bytes a second that a body has to bring, on average and after the first ten seconds."""

    expansion_ratio: Count = 200
    """How many times its size a request may grow, by being unpacked and by what lands with each of
    its events: Segment's batches of the most alike events are packed to a hundredth."""

    source_events_per_second: Count = 5000
    """Events a second that one source may send, on the average of ten; `sources.toml` says
    otherwise of one."""

    source_day_bytes: Size | None = None
    """Landed bytes that one source may fill in a day; likewise."""

    source_disk_share: Share = 0.5
    """Of the free space above the reserve, what one of several sources may fill in a day."""

    refused_time_share: Share = 0.1
    """The share of a process's time that may go into one client's requests that are refused before
    it is known who sends them, and into what is damaged or refused with one kind of a source's
    keys; all such clients together have two and a half times as much, those that were let in lately
    likewise; all of it at most."""

    event_bytes: Size = ByteSize(MB)
    """Largest event; Segment's own limit is 32 kB. A larger one goes to `rejected/`."""

    store_shut_out: YesOrNo = False
    """Whether an SDK's event is stored whose `integrations` says that it is not for us. Stitch left
    it out; Segment Warehouses never did."""

    batch_events: Count = 10_000
    """Most events in one request; Segment's largest batch has 4,000."""

    depth: Annotated[
        int,
        IS_NUMBER,
        Field(ge=1, le=MAX_DEPTH),
        has_to_be(f"a whole number from 1 to {MAX_DEPTH}"),
    ] = MAX_DEPTH
    """Deepest nesting of an event, 128 at most, which is what the loader takes."""

    queue_bytes: Size = ByteSize(256 * MB)
    """Bytes that may wait for the disk in one process before senders are told to come back."""

    queue_events: Count = 100_000
    """Events that may wait for the disk in one process before senders are told to come back."""

    reserve_bytes: SizeOrNothing = ByteSize(256 * MB)
    """Free space below which nothing more is accepted, so that the loader has room to work."""

    commit_seconds: Seconds = 4.5
    """Longest wait for the disk: Segment's webhooks give up after 5 seconds."""
