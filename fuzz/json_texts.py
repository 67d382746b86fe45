"""Texts that are JSON, that are not, and that readers disagree about; made here, not collected.

Each kind of text that the grammar of RFC 8259 allows or forbids is there at least once.
"""

import json
from collections.abc import Iterator
from typing import Literal, NamedTuple

Expected = Literal["accept", "reject", "either"]


class Text(NamedTuple):
    """A text, and whether a reader has to accept it, to reject it, or may do either."""

    text: bytes
    expected: Expected


NUMBERS = [
    "0",
    "-0",
    "1",
    "-1",
    "10",
    "123456789",
    "0.0",
    "-0.0",
    "0.5",
    "1.5",
    "123.456",
    "1e5",
    "1E5",
    "1e+5",
    "1E+5",
    "1e-5",
    "1E-5",
    "0e1",
    "0e+1",
    "0E0",
    "1.5e10",
    "-1.5E-10",
    "20e1",
    "1e00005",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    "12345678901234567890123",
    "0.1000000000000000055511151231257827",
    "1e-400",
    "-1e-9999",
    "0e99999",
]
NO_NUMBERS = [
    "+1",
    "01",
    "-01",
    "00",
    ".5",
    "-.5",
    "5.",
    "-5.",
    "5.e3",
    "1e",
    "1e+",
    "1E-",
    "1.e1",
    "1.5e",
    "0x1",
    "0b1",
    "0o1",
    "1_0",
    "--",
    "-",
    "--",
    "+-1",
    "--1",
    "1.2.3",
    "1e1e1",
    "1e1.5",
    "NaN",
    "-NaN",
    "nan",
    "Infinity",
    "-Infinity",
    "inf",
    "1a",
    "0e",
    "1.",
    "\uff11",
    "\u00b2",
    "1/2",
]
UNCERTAIN_NUMBERS = ["1e400", "-1e400", "1e309", "1.8e308", "9" * 400 + ".0", "9" * 5000]

ESCAPES = [rf"\{letter}" for letter in '"\\/bfnrt']
STRINGS = [
    "",
    "a",
    " ",
    "é",
    "€",
    "😀",
    "\u2028\u2029",
    "\ufeff",
    "\uffff",
    "\U0010ffff",
    "\x7f",
    "//",
    "/*",
    *ESCAPES,
    r"\u0000",
    r"\u0061",
    r"\u00e9",
    r"\u20AC",
    r"\ud83d\ude00",
    r"\uD834\uDD1E",
    r"\uffff",
    r"\\u0000",
    r"\"",
    "[{",
    "}]",
    ",:",
    "a" * 5000,
]
NO_STRINGS = [
    r"\x41",
    r"\a",
    r"\'",
    r"\0",
    r"\u",
    r"\u1",
    r"\u12",
    r"\u123",
    r"\uqqqq",
    r"\U0041",
    r"\ ",
    "\\",
    "\t",
    "\n",
    "\r",
    "\0",
    "\x1f",
    "\\\t",
    '"',
    'a"b',
]
SURROGATES = [
    r"\ud800",
    r"\uDFFF",
    r"\ud800a",
    r"\ud800\n",
    r"\ud800\u0061",
    r"\ud800\ud800",
    r"\udc00\ud800",
    r"\ud83d\ud83d\ude00",
]
BAD_BYTES = [
    b"\xff",
    b"\x80",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xe2\x82",
    b"\xc3",
    b"\xc3\x28",
    b"\xfe\xff",
]

STRUCTURES = [
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    '{"a":{}}',
    '{"a":[]}',
    "[1,2,3]",
    "[ 1 , 2 ]",
    "[\n\t1\r\n]",
    '{"a":1,"b":2}',
    '{ "a" : 1 }',
    '{"":0}',
    '{"a":null}',
    "[null,true,false]",
    '{"a":[{"b":[{}]}]}',
    '{"\\u0000":1}',
    '{"a\\"b":1}',
    "[" * 50 + "]" * 50,
]
NO_STRUCTURES = [
    "",
    "[",
    "]",
    "{",
    "}",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[,]",
    "[1,,2]",
    "[1 2]",
    "[1:2]",
    "1]",
    "[1]]",
    "[}",
    "{]",
    "{,}",
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{,"a":1}',
    '{"a":1,,"b":2}',
    '{"a" 1}',
    '{"a"::1}',
    "{:1}",
    "{1:1}",
    "{a:1}",
    "{'a':1}",
    "{null:1}",
    '{["a"]:1}',
    '{"a":1 "b":2}',
    '{"a":1;"b":2}',
    '{"a":a}',
    "'a'",
    '"a',
    'a"',
    "`a`",
    "nul",
    "nulll",
    "True",
    "TRUE",
    "None",
    "undefined",
    "fals",
    "tru",
    "1 1",
    "{}{}",
    "[][]",
    "{}x",
    "// a\n1",
    "1// a",
    "/* a */1",
    "1/**/",
    "# a\n1",
    "\ufeff1",
    "\u00a01",
    "\u20601",
    "\x0c1",
    "\x0b1",
    "1\x00",
    "\x001",
    "<a/>",
    "&amp;",
    '{"a":/**/1}',
    "[1,\x0c2]",
    "(1)",
    "[1]]",
    "*",
    "...",
]
DUPLICATES = ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"é":1,"\\u00e9":1}', '[{"a":{},"a":{}}]']


def texts() -> Iterator[Text]:
    """Yield values of JSON, and what is almost one."""
    for expected, numbers, strings, structures in (
        ("accept", NUMBERS, STRINGS, [*STRUCTURES, *DUPLICATES]),
        ("reject", NO_NUMBERS, NO_STRINGS, NO_STRUCTURES),
        ("either", UNCERTAIN_NUMBERS, SURROGATES, []),
    ):
        quoted = [f'"{string}"' for string in strings]
        for text in [*numbers, *quoted, *structures]:
            yield Text(text.encode(), expected)  # type: ignore[arg-type]
        for text in [*numbers, *quoted]:
            yield Text(f"[{text}]".encode(), expected)  # type: ignore[arg-type]
            yield Text(f'{{"a":{text}}}'.encode(), expected)  # type: ignore[arg-type]
        for text in quoted:
            yield Text(f"{{{text}:1}}".encode(), expected)  # type: ignore[arg-type]
    for bad in BAD_BYTES:
        yield Text(b'"' + bad + b'"', "reject")
        yield Text(b'{"' + bad + b'":1}', "reject")
        yield Text(bad, "reject")


def events() -> Iterator[Text]:
    """Yield events with each such value in them, as a member and as their id."""
    for text, expected in texts():
        yield Text(b'{"type":"track","messageId":"id","value":' + text + b"}", expected)
        yield Text(b'{ "value" : [' + text + b', 1 ] , "type":"page" }', expected)
    for string in [*STRINGS, *SURROGATES, *NO_STRINGS]:
        yield Text(f'{{"type":"track","messageId":"{string}"}}'.encode(), "either")
        yield Text(f'{{"type":"{string}","messageId":"id"}}'.encode(), "either")
        yield Text(f'{{"type":"track","messageId":"id","{string}":1}}'.encode(), "either")


def batches() -> Iterator[bytes]:
    """Yield bodies of batches with such values as what their events share."""
    for text, _ in texts():
        for name in ("context", "integrations", "sentAt", "batch"):
            item = b'{"type":"track","context":{"a":1.10,"ip":"own"},"n":1e2}'
            yield b'{"batch":[%b, {"type":"page"}],"%b":%b}' % (item, name.encode(), text)


def arrays() -> Iterator[bytes]:
    """Yield arrays of such values."""
    every = [text for text, _ in texts()]
    for one, other in zip(every, reversed(every), strict=True):
        yield b"[" + one + b" ,\n" + other + b"]"


def signatures() -> Iterator[bytes]:
    """Yield what may stand in a header that proves who sends."""
    for text in (
        "",
        "Basic",
        "Basic ",
        "Basic d2ViOg==",
        "basic ???",
        "Bearer x",
        "0" * 40,
        "é" * 40,
    ):
        yield text.encode("latin-1") + b"\n{}"
    yield json.dumps({"writeKey": "web"}).encode()
