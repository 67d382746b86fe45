"""Settings: every number and path the receiver can be told, read once."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    HttpUrl,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).parents[1]

KB = 1024
MB = 1024 * KB

RootedPath = Annotated[Path, AfterValidator(lambda path: ROOT / path.expanduser())]


def _base_address(url: HttpUrl | None) -> HttpUrl | None:
    if url and (url.username or url.password or url.query or url.fragment):
        raise ValueError("only scheme, host, port and path belong in it")
    return url


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


PublicUrl = Annotated[HttpUrl | None, AfterValidator(_base_address)]
Networks = Annotated[
    tuple[IPv4Network | IPv6Network, ...] | None, NoDecode, BeforeValidator(_split)
]


class Settings(BaseSettings):
    """The receiver's settings: `SEAMLINE_<NAME>` in the environment, or in `.env`.

    Paths that are not absolute are relative to the repository root, whatever the working
    directory. Sizes may be written as `64MiB`.
    """

    model_config = SettingsConfigDict(
        env_prefix="SEAMLINE_",
        env_file=ROOT / ".env",
        env_ignore_empty=True,
        extra="ignore",  # .env also holds the other rooms' settings
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    landing: RootedPath = Path("landing")
    """Folder the events are written to; its README.md says how."""

    sources: RootedPath = Path("sources.toml")
    """File that names the senders, their write keys and their shared secrets."""

    integration_name: str = "Segment"
    """What this integration is called; the final tables' schema is made of it."""

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """Port to listen on."""

    public_url: PublicUrl = None
    """Address browsers and devices reach the receiver by, `https://events.example.com`.

    Without it the settings for analytics.js are given to browsers on this machine only: the
    Host header is the client's word, and is not repeated to others.
    """

    trusted_proxies: Networks = None
    """Networks whose X-Forwarded-For is believed, with commas between: `127.0.0.1,10.0.0.0/8`."""

    workers: PositiveInt = 2
    """Processes that receive; one per core is a good start."""

    keepalive_seconds: PositiveInt = 75
    """How long an idle connection is kept open: longer than balancers and SDKs keep theirs."""

    seal_seconds: PositiveFloat = 2
    """Age at which a file that is being written is handed to the loader."""

    seal_bytes: ByteSize = ByteSize(64 * MB)
    """Size at which a file that is being written is handed to the loader."""

    body_bytes: ByteSize = ByteSize(128 * MB)
    """Largest request body, unpacked: Segment's largest batch, 4,000 events of 32 kB."""

    body_seconds: PositiveFloat = 60
    """Longest time a request's body may take to arrive; a slower one is answered 408."""

    bodies_bytes: ByteSize = ByteSize(512 * MB)
    """Bytes of bodies one process holds at once before senders are told to come back."""

    keyless_bytes: ByteSize = ByteSize(MB)
    """Largest request whose write key stands in its body, unpacked: it is read before it is known
    who sends it. Segment's own limit is 500 kB."""

    event_bytes: ByteSize = ByteSize(MB)
    """Largest event; Segment's own limit is 32 kB. A larger one goes to `rejected/`."""

    batch_events: PositiveInt = 10_000
    """Most events in one request; Segment's largest batch has 4,000."""

    depth: Annotated[int, Field(ge=1, le=128)] = 128
    """Deepest nesting of an event, 128 at most, which is what the loader takes."""

    queue_bytes: ByteSize = ByteSize(256 * MB)
    """Bytes that may wait for the disk in one process before senders are told to come back."""

    queue_events: PositiveInt = 100_000
    """Events that may wait for the disk in one process before senders are told to come back."""

    reserve_bytes: Annotated[ByteSize, NonNegativeInt] = ByteSize(256 * MB)
    """Free space below which nothing more is accepted, so that the loader has room to work."""

    commit_seconds: PositiveFloat = 4.5
    """Longest wait for the disk: Segment's webhooks give up after 5 seconds."""
