"""The published Python client taos-ws-py against the server at TAOS_ADDRESS."""
import datetime
from decimal import Decimal

import taosws

from checks import ADDRESS, POINT, check, equal, main, raises, setup_statements

DSN = f"taosws://root:taosdata@{ADDRESS}"
DATABASE = "judge_ws"
MANY = 10_000


def connect(suffix=""):
    return taosws.connect(DSN + suffix)


@check
def connects_and_asks_for_the_version():
    """connects, and reads the version in a query"""
    connection = connect()
    (version,) = next(iter(connection.query("select server_version()")))
    equal(version.split(".")[0], "3")


@check
def creates_and_inserts():
    """creates a super table of every type and inserts into it"""
    connection = connect()
    affected = [connection.execute(sql) for sql in setup_statements(DATABASE)]
    equal(affected[-3:], [1, 1, 1])


@check
def reads_every_type():
    """reads every type and NULLs of every type"""
    connection = connect(f"/{DATABASE}")
    result = connection.query("select * from d1 order by ts")
    rows = [list(row) for row in result]
    equal(len(rows), 2)
    full = rows[0][1:]
    equal(full[:5], [True, -128, -32768, -2147483648, -9223372036854775807])
    equal(full[5:9], [255, 65535, 4294967295, 18446744073709551615])
    equal(full[9:13], [1.5, 2.25, 'plain "text"', "żółw 🐢"])
    equal(bytes(full[13]), b"\x00\xff\x10")
    equal(bytes(full[14]), POINT)
    equal([Decimal(str(value)) for value in full[15:]], [Decimal("123.45"), Decimal("12345678901234567890.123456")])
    equal(rows[1][1:], [None] * len(full))


@check
def reads_names_and_tags():
    """names its columns, and reads tags beside them"""
    connection = connect(f"/{DATABASE}")
    result = connection.query("select tbname, place, floor as level_of from kinds where i32 is not null order by ts")
    equal([field.name() for field in result.fields], ["tbname", "place", "level_of"])
    equal([tuple(row) for row in result], [("d1", "Gdańsk", 3), ("d2", None, None)])


@check
def reads_timestamps():
    """reads timestamps as times"""
    connection = connect(f"/{DATABASE}")
    (moment,) = next(iter(connection.query("select ts from d2")))
    if isinstance(moment, str):
        moment = datetime.datetime.fromisoformat(moment)
    equal(moment.timestamp(), 1700000002.0)


@check
def reads_blobs():
    """reads BLOBs"""
    connection = connect(f"/{DATABASE}")
    connection.execute("create table blobs (ts timestamp, b blob)")
    connection.execute("insert into blobs values (1700000000000, '\\x00ff10') (1700000000001, '') (1700000000002, null)")
    read = [row[0] for row in connection.query("select b from blobs order by ts")]
    equal([value if value is None else bytes(value) for value in read], [b"\x00\xff\x10", b"", None])


@check
def reads_many_blocks():
    """reads ten thousand rows in order through a cursor"""
    cursor = connect(f"/{DATABASE}").cursor()
    cursor.execute("create table many (ts timestamp, n int)")
    for start in range(0, MANY, 1000):
        rows = " ".join(f"({1700000000000 + n}, {n})" for n in range(start, start + 1000))
        equal(cursor.execute(f"insert into many values {rows}"), 1000)
    reader = connect(f"/{DATABASE}").cursor()
    reader.execute("select n from many order by ts")
    equal([row[0] for row in reader.fetchall()], list(range(MANY)))


@check
def an_equal_timestamp_overwrites():
    """overwrites a row by its timestamp"""
    connection = connect(f"/{DATABASE}")
    connection.execute("create table once (ts timestamp, n int)")
    for n in (1, 2):
        connection.execute(f"insert into once values (1700000000000, {n})")
    equal([tuple(row)[0] for row in connection.query("select n from once")], [2])


@check
def errors_name_what_is_wrong():
    """gets the server's codes and texts in its errors"""
    connection = connect(f"/{DATABASE}")
    raises(Exception, ["2603", "table does not exist"], connection.query, "select * from nowhere")
    raises(Exception, ["2600", "syntax error"], connection.query, "selec 1")
    equal([tuple(row) for row in connection.query("select 1")], [(1,)])


@check
def a_wrong_login_is_refused():
    """is refused with a wrong password, and with a database that is not there"""
    raises(Exception, ["357"], taosws.connect, f"taosws://root:wrong@{ADDRESS}")
    raises(Exception, ["388"], taosws.connect, f"{DSN}/no_such_database")


main("taos-ws-py")
