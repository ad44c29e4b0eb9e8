"""A very small test runner: each check prints one line that begins with `ok` or `FAILED`."""
import os
import struct
import sys
import traceback

ADDRESS = os.environ.get("TAOS_ADDRESS", "127.0.0.1:6041")
CHECKS = []
# POINT(1 2) as bytes.
POINT = b"\x01\x01\x00\x00\x00" + struct.pack("<dd", 1, 2)

# The types that a table can have, each with a literal, as INSERT takes it.
COLUMNS = {
    "b": ("bool", "true"),
    "i8": ("tinyint", "-128"),
    "i16": ("smallint", "-32768"),
    "i32": ("int", "-2147483648"),
    "i64": ("bigint", "-9223372036854775807"),
    "u8": ("tinyint unsigned", "255"),
    "u16": ("smallint unsigned", "65535"),
    "u32": ("int unsigned", "4294967295"),
    "u64": ("bigint unsigned", "18446744073709551615"),
    "f32": ("float", "1.5"),
    "f64": ("double", "2.25"),
    "vc": ("varchar(32)", "'plain \"text\"'"),
    "nc": ("nchar(32)", "'żółw 🐢'"),
    "vb": ("varbinary(16)", "'\\x00ff10'"),
    "geo": ("geometry(64)", "'POINT(1 2)'"),
    "d64": ("decimal(10,2)", "123.45"),
    "d128": ("decimal(38,6)", "12345678901234567890.123456"),
}

# Those of them that statements bind, with a value each, and tags of two tables.
NAMES = "b, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, vc, nc, vb, geo"
BINDABLE = (
    "b bool, i8 tinyint, i16 smallint, i32 int, i64 bigint, u8 tinyint unsigned, u16 smallint unsigned, "
    "u32 int unsigned, u64 bigint unsigned, f32 float, f64 double, vc varchar(32), nc nchar(32), "
    "vb varbinary(16), geo geometry(64)"
)
FULL = [
    True, -128, -32768, -2147483648, -9223372036854775807, 255, 65535, 4294967295, 18446744073709551615,
    1.5, 2.25, 'plain "text"', "żółw 🐢", b"\x00\xff\x10", POINT,
]
NULLS = [None] * len(FULL)
TAGS = [["Gdańsk", 3], [None, None]]


def setup_statements(database):
    """A super table of all types; d1 has a full row and one of NULLs, d2 one row."""
    columns = ", ".join(f"{name} {ty}" for name, (ty, _) in COLUMNS.items())
    values = ", ".join(literal for _, literal in COLUMNS.values())
    nulls = ", ".join("null" for _ in COLUMNS)
    return [
        f"drop database if exists {database}",
        f"create database {database} precision 'ms'",
        f"create table {database}.kinds (ts timestamp, {columns}) tags (place varchar(24), floor int)",
        f"create table {database}.d1 using {database}.kinds tags ('Gdańsk', 3)",
        f"insert into {database}.d1 values (1700000000000, {values})",
        f"insert into {database}.d1 values (1700000001000, {nulls})",
        f"insert into {database}.d2 using {database}.kinds tags (null, null) values (1700000002000, {values})",
    ]


def check(function):
    CHECKS.append(function)
    return function


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"expected {expected!r}, got {got!r}")


def raises(kind, words, function, *arguments):
    try:
        function(*arguments)
    except kind as error:
        text = str(error).lower()
        for word in words:
            if word.lower() not in text:
                raise AssertionError(f"the error lacks {word!r}: {error}") from error
        return
    raise AssertionError(f"{arguments} succeeded")


def main(client):
    failed = 0
    for function in CHECKS:
        name = f"{client}: {function.__doc__.strip()}"
        try:
            function()
            print(f"ok {name}", flush=True)
        except Exception:  # a check reports whatever went wrong and the next one runs
            failed += 1
            print(f"FAILED {name}", flush=True)
            traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)
