"""What the user says of columns, in `columns.yml`: checked, and kept beside the tables.

The rules in force are those the tables were built with (`columns.rules`). Others come into force
with a full refresh of all tables, from its beginning: one that did not end has to be run again.
"""

import json
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self, get_args

import duckdb
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from landed.errors import ReportedError
from orchestration.columns.documented import ENVELOPE, Documented, documented_fields
from orchestration.loading.field_paths import ITEM, Keys, keys_of, path_text
from orchestration.warehouse.transaction import transaction

MAX_COLUMNS = 1_000


class ColumnRulesError(ReportedError):
    """`columns.yml` is not what it has to be; the text says where and what."""


def _keys(path: object) -> object:
    """`properties.products[].price`, or a list of the keys."""
    if isinstance(path, str):
        return keys_of(path)
    return tuple(path) if isinstance(path, list) else path


Call = Literal["alias", "group", "identify", "page", "screen", "track"]
_ALL: tuple[Call, ...] = get_args(Call)


class FieldRule(BaseModel):
    """What is said of one field, and of all below it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[tuple[str, ...], BeforeValidator(_keys), Field(min_length=1)]
    """Where it is in the event."""

    tables: tuple[Call, ...] = _ALL
    """The tables it is said for."""

    type: Literal["string", "bigint", "double", "boolean", "timestamp"] | None = None
    """The type of its column."""

    json_column: Annotated[bool, Field(alias="json")] = False
    """Keep it as one JSON column, whatever it holds."""

    leave_out: bool = False
    """No column for it; the payload in `raw` keeps it."""

    hashed: Annotated[bool, Field(alias="hash")] = False
    """Write the SHA-256 of its values in their place."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        said = sum([self.type is not None, self.json_column, self.leave_out, self.hashed])
        if said != 1:
            raise ValueError("says exactly one of type, json, leave_out and hash")
        for call in self.tables:
            self._check_documented(documented_fields(call))
        if self.hides and ITEM in self.path:
            array = path_text(self.path[: self.path.index(ITEM)])
            raise ValueError(f"{array} as a whole would still show it: leave out or hash that")
        return self

    @property
    def hides(self) -> bool:
        """Whether nobody is to see it."""
        return self.leave_out or self.hashed

    def _check_documented(self, fields: dict[Keys, Documented]) -> None:
        path = path_text(self.path)
        for length in range(1, len(self.path)):
            above = fields.get(self.path[:length])
            if above and above.type == "json":
                raise ValueError(f"{path} is in the JSON column {above.column}: say it of that")
        field = fields.get(self.path)
        if field is None:
            return
        if field.type in {ENVELOPE, "time"} or self.path == ("event",):
            raise ValueError(f"{path} is documented by Segment, and every row needs it as it is")
        if not (self.leave_out or (self.hashed and field.type == "varchar")):
            raise ValueError(
                f"{path} is documented by Segment and stays {field.type}; of such fields text can "
                "be hashed, and all can be left out"
            )


class ColumnRules(BaseModel):
    """All of `columns.yml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_columns: Annotated[int, Field(ge=200, le=10_000)] = MAX_COLUMNS
    """Columns of one table, the documented ones among them."""

    leave_out_tables: tuple[Call, ...] = ()
    """Tables that stay empty."""

    hash_salt: str = ""
    """Goes before each value that is hashed."""

    fields: tuple[FieldRule, ...] = ()

    @model_validator(mode="after")
    def _hides_nothing_in_json(self) -> Self:
        for json_rule in self.fields:
            for rule in self.fields:
                is_below = rule.path[: len(json_rule.path)] == json_rule.path != rule.path
                if json_rule.json_column and is_below:
                    raise ValueError(
                        f"{path_text(rule.path)} is in the JSON column of "
                        f"{path_text(json_rule.path)}: say it of that"
                    )
        return self

    def hide_below(self, call: str, keys: Keys) -> bool:
        """Whether something that a field holds is to be left out or hashed."""
        return any(
            rule.hides and call in rule.tables and rule.path[: len(keys)] == keys
            for rule in self.fields
        )

    def of(self, call: str, keys: Keys) -> "Said":
        """What is said of a field: by the rule for it, and by those for what it is in."""
        said = Said()
        for rule in self.fields:
            if call in rule.tables and keys[: len(rule.path)] == rule.path:
                is_own = len(keys) == len(rule.path)
                said = Said(
                    type=rule.type if rule.type and is_own else said.type,
                    is_json=said.is_json or (rule.json_column and is_own),
                    is_in_json=said.is_in_json or (rule.json_column and not is_own),
                    is_left_out=said.is_left_out or rule.leave_out,
                    is_hashed=said.is_hashed or rule.hashed,
                )
        return said


class Said(NamedTuple):
    """What `columns.yml` says of one field."""

    type: str | None = None
    is_json: bool = False
    is_in_json: bool = False
    is_left_out: bool = False
    is_hashed: bool = False


def read_rules(path: Path) -> ColumnRules:
    """Read `columns.yml`; without one, nothing is said.

    Raises:
        ColumnRulesError: it is no such file, or says something it cannot.
    """
    if not path.exists():
        return ColumnRules()
    try:
        return ColumnRules.model_validate(yaml.safe_load(path.read_text()) or {})
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise ColumnRulesError(f"{path}: {_in_words(error)}. Nothing was changed.") from error


def _in_words(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in error.errors()
    )


def rules_in_force(con: duckdb.DuckDBPyConnection) -> ColumnRules:
    """The rules that the tables were built with."""
    row = con.execute("select rules from columns.rules").fetchone()
    return ColumnRules.model_validate(json.loads(row[0])) if row else ColumnRules()


def put_in_force(con: duckdb.DuckDBPyConnection, rules: ColumnRules) -> None:
    """Keep the rules that the tables are about to be built with."""
    with transaction(con):
        con.execute("delete from columns.rules")
        con.execute("insert into columns.rules values (?)", [rules.model_dump_json(by_alias=True)])
