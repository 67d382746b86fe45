"""What every part is told from outside in the same way: the environment or `.env`, read once.

The settings that more than one part reads are here, each once, as are the kinds of values that a
setting may have, and the words for a value that does not fit.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from landed.errors import ReportedError

ROOT = Path(__file__).resolve().parents[1]
"""The repository. Relative paths in settings are relative to it, whatever the working directory."""

MB = 1024 * 1024

_PREFIX = "SEAMLINE_"
_HIDDEN = "hidden"
_LONGEST_SHOWN = 60


class WrongSettingsError(ReportedError):
    """Settings do not fit. The text is one line: each by name, what it is, what it has to be."""

    def __init__(self, wrong: Iterable[str]) -> None:
        """Keep what is said of each setting."""
        self.wrong = tuple(wrong)
        super().__init__("; ".join(self.wrong))


def has_to_be(what: str, *, is_shown: bool = True) -> WrapValidator:
    """Say in our words what a setting has to be, whatever refuses it.

    Args:
        what: follows "has to be".
        is_shown: whether a value that does not fit may be shown: it may hold a password.
    """

    def check(value: object, validate: ValidatorFunctionWrapHandler) -> object:
        try:
            return validate(value)
        except ValidationError:
            kind = "shown" if is_shown else _HIDDEN
            raise PydanticCustomError(kind, "has to be {what}", {"what": what}) from None

    return WrapValidator(check)


def _is_path(value: object) -> object:
    if isinstance(value, str):
        if re.match(r"[a-z][a-z0-9+.-]*://", value, re.IGNORECASE):
            raise ValueError("has to be a path on this machine, not an address")
        if value != value.strip():
            raise ValueError("has to be a path without blanks around it")
    return value


def _is_file(value: object) -> object:
    if isinstance(value, str) and value.rpartition("/")[2] in {"", ".", ".."}:
        raise ValueError("has to be the path of a file, not of a folder")
    return value


def _is_no_folder(path: Path) -> Path:
    if os.path.isdir(path):  # noqa: PTH112 - Path's fails where it may not look
        raise ValueError("has to be the path of a file, and there is a folder")
    return path


def _below_root(path: Path) -> Path:
    try:
        return ROOT / path.expanduser()
    except RuntimeError:
        raise ValueError("has to be in the home folder of a user who is there") from None


def _written_as(pattern: str) -> BeforeValidator:
    def check(value: object) -> object:
        if isinstance(value, str) and not re.fullmatch(pattern, value, re.ASCII | re.IGNORECASE):
            raise ValueError("is written in another way")
        return value

    return BeforeValidator(check)


RootedPath = Annotated[Path, AfterValidator(_below_root), BeforeValidator(_is_path)]
"""A path; relative ones are relative to the repository."""

RootedFile = Annotated[RootedPath, AfterValidator(_is_no_folder), BeforeValidator(_is_file)]
"""That of a file, which may be missing."""

STORES = ("s3", "gs", "az")
"""The kinds of object stores, as their addresses begin."""

StoreAddress = Annotated[
    str,
    Field(
        pattern=rf"^({'|'.join(STORES)})://[A-Za-z0-9][A-Za-z0-9._-]+"
        r"(/[A-Za-z0-9_=-][A-Za-z0-9_.=-]*)*/?$"
    ),
    AfterValidator(lambda value: value.rstrip("/")),
    has_to_be(
        "the address of a bucket, with or without a prefix, such as s3://bucket/prefix (or gs://, "
        "az://)",
        is_shown=False,
    ),
]
"""Where in an object store something is; keys are not in it, but in the environment."""

# Python's numbers may be `1_0`, and be written in any script
IS_NUMBER = _written_as(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*")
# ByteSize alone reads `1,000` as 1, and `5bit` as nothing
_IS_SIZE = _written_as(r"\s*\d*\.?\d+\s*([kmgt]?b?|[kmgt]ib)\s*")

Port = Annotated[
    int,
    IS_NUMBER,
    Field(ge=1, le=65535),
    has_to_be("a whole number from 1 to 65535"),
]
Count = Annotated[int, IS_NUMBER, Field(ge=1), has_to_be("a whole number above 0")]
YesOrNo = Annotated[bool, has_to_be("true or false")]

Share = Annotated[
    float,
    IS_NUMBER,
    Field(gt=0, le=1, allow_inf_nan=False),
    has_to_be("a number above 0 and up to 1, such as 0.5"),
]

_MOST_BYTES = 2**63 - 1

Size = Annotated[
    ByteSize,
    _IS_SIZE,
    Field(ge=1, le=_MOST_BYTES),
    has_to_be("a number of bytes above 0 and below 8 EiB, such as 67108864 or 64MiB"),
]
SizeOrNothing = Annotated[
    ByteSize,
    _IS_SIZE,
    Field(ge=0, le=_MOST_BYTES),
    has_to_be("a number of bytes below 8 EiB, such as 67108864 or 64MiB, or 0"),
]

# A century is for ever, and every clock can count it.
_DAYS = 36_525
_DURATION = "a number of {} above 0, such as 2 or 0.5, and a century at most"

Seconds = Annotated[
    float,
    IS_NUMBER,
    Field(gt=0, le=_DAYS * 86_400, allow_inf_nan=False),
    has_to_be(_DURATION.format("seconds")),
]
WholeSeconds = Annotated[
    int,
    IS_NUMBER,
    Field(ge=1, le=_DAYS * 86_400),
    has_to_be("a whole number of seconds above 0, and a century at most"),
]
Hours = Annotated[
    float,
    IS_NUMBER,
    Field(gt=0, le=_DAYS * 24, allow_inf_nan=False),
    has_to_be(_DURATION.format("hours")),
]
Days = Annotated[
    float,
    IS_NUMBER,
    Field(gt=0, le=_DAYS, allow_inf_nan=False),
    has_to_be(_DURATION.format("days")),
]

_OWN_SCHEMAS = {"raw", "columns", "main", "information_schema", "pg_catalog"}
DATABASES = {"seamline", "memory", "system", "temp"}
"""The databases of every session: DuckDB cannot tell a schema from the database of its name."""
_OWN_PARTS = ("_staging", "_warehouse")


def schema_of(name: str) -> str:
    """The schema that an integration's name gives: `Stitch Segment` → `stitch_segment`."""
    return re.sub("[^a-z0-9]+", "_", name.lower())


def _names_a_schema(name: str) -> str:
    if not re.search("[a-z]", name.lower()):
        raise ValueError("has to hold a letter from a to z, as it names a schema")
    schema = schema_of(name)
    if schema in _OWN_SCHEMAS or schema.endswith(_OWN_PARTS):
        raise ValueError(
            f"has to be another name: it gives the schema {schema!r}, which is Seamline's own"
        )
    if schema in DATABASES:
        raise ValueError(
            f"has to be another name: it gives the schema {schema!r}, and so is a database called; "
            "if there are tables in it already, `make rename` moves them to the other name's"
        )
    return name


class SharedSettings(BaseSettings):
    """The settings of all parts: `SEAMLINE_<NAME>` in the environment, or in `.env`.

    Each part has a class of its own that adds what it alone reads.

    Raises:
        WrongSettingsError: some do not fit.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=ROOT / ".env",
        env_ignore_empty=True,
        extra="ignore",  # .env also holds the other parts' settings
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    landing: RootedPath = Path("landing")
    """The folder the receiver lands events in; its README.md says how."""

    landing_remote: StoreAddress | None = None
    """Where in an object store landed files go from machines that only receive, and where the
    loader takes them from and keeps a copy of all that it has loaded."""

    integration_name: Annotated[str, AfterValidator(_names_a_schema)] = "Segment"
    """The integration's name. Folded, it is the schema of the final tables."""

    seal_seconds: Seconds = 1
    """The age at which the receiver seals a file, and so hands it to the loader."""

    def __init__(self, **values: Any) -> None:
        """Read the settings; those that are given are not read."""
        try:
            super().__init__(**values)
        except ValidationError as invalid:
            raise WrongSettingsError(map(self._wrong, invalid.errors())) from None
        except (OSError, UnicodeDecodeError) as error:
            raise WrongSettingsError([f"{ROOT / '.env'}: cannot be read: {error}"]) from None

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_blanks(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            raise ValueError("has to be something, or nothing at all, which is the default")
        return value

    @classmethod
    def names(cls) -> dict[str, str]:
        """The fields, with the name each has in the environment."""
        return {
            name: str(field.validation_alias or f"{_PREFIX}{name.upper()}")
            for name, field in cls.model_fields.items()
        }

    @classmethod
    def _wrong(cls, error: ErrorDetails) -> str:
        place = str(error["loc"][0])
        name = cls.names().get(place, place)
        said = str(error.get("ctx", {}).get("error") or error["msg"])
        if error["type"] == _HIDDEN:
            return f"{name}: {said}; its value is not shown, as it may hold a password"
        value = repr(error["input"])
        if len(value) > _LONGEST_SHOWN:
            value = f"{value[:_LONGEST_SHOWN]}…"
        return f"{name}: is {value}, and {said}"
