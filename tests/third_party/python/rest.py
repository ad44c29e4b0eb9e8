"""The published Python client taospy, its REST part, against the server at TAOS_ADDRESS."""
import taosrest

from checks import ADDRESS, COLUMNS, POINT, check, equal, main, raises, setup_statements

URL = f"http://{ADDRESS}"
DATABASE = "judge_rest"


def connect(**more):
    return taosrest.connect(url=URL, user="root", password="taosdata", timeout=30, **more)


def client(**more):
    return taosrest.RestClient(URL, user="root", password="taosdata", convert_timestamp=False, **more)


@check
def asks_for_the_version():
    """connects, and asks for the version"""
    equal(connect().server_info.split(".")[0], "3")


@check
def creates_and_inserts():
    """creates a super table of every type and inserts into it"""
    connection = connect()
    affected = [connection.execute(sql) for sql in setup_statements(DATABASE)]
    equal(affected[-3:], [1, 1, 1])


@check
def reads_every_type():
    """reads every type as the interface writes it"""
    answer = client().sql(f"select * from {DATABASE}.d1 order by ts")
    equal([name for name, _, _ in answer["column_meta"]], ["ts", *COLUMNS])
    full = answer["data"][0]
    equal(full[0], "2023-11-14T22:13:20.000Z")
    equal(full[1:10], [True, -128, -32768, -2147483648, -9223372036854775807, 255, 65535, 4294967295, 18446744073709551615])
    equal(full[10:15], [1.5, 2.25, 'plain "text"', "żółw 🐢", "00ff10"])
    equal(full[15], POINT.hex())
    equal(full[16:], ["123.45", "12345678901234567890.123456"])
    equal(answer["data"][1][1:], [None] * len(COLUMNS))
    equal(answer["rows"], 2)


@check
def reads_through_a_cursor():
    """reads through a cursor with times converted, in the database it connected to"""
    cursor = connect(database=DATABASE, timezone="Europe/Warsaw").cursor()
    cursor.execute("select ts, place, floor from kinds order by ts")
    rows = cursor.fetchall()
    equal([row[0].timestamp() for row in rows], [1700000000.0, 1700000001.0, 1700000002.0])
    equal([row[1:] for row in rows], [["Gdańsk", 3], ["Gdańsk", 3], [None, None]])


@check
def reads_ten_thousand_rows():
    """reads ten thousand rows in order"""
    connection = connect(database=DATABASE)
    connection.execute("create table many (ts timestamp, n int)")
    for start in range(0, 10_000, 1000):
        rows = " ".join(f"({1700000000000 + n}, {n})" for n in range(start, start + 1000))
        equal(connection.execute(f"insert into many values {rows}"), 1000)
    equal(connection.query("select n from many order by ts").data, [[n] for n in range(10_000)])


@check
def reads_blobs_and_json():
    """reads BLOBs and JSON tags"""
    connection = connect(database=DATABASE)
    connection.execute("create table blobs (ts timestamp, b blob) tags (info json)")
    connection.execute(
        """insert into b1 using blobs tags ('{"city":"Łódź"}')
           values (1700000000000, '\\x00ff10') (1700000000001, '') (1700000000002, null)"""
    )
    read = connection.query("select b, info from blobs order by ts").data
    equal(read, [["00ff10", {"city": "Łódź"}], ["", {"city": "Łódź"}], [None, {"city": "Łódź"}]])


@check
def errors_name_what_is_wrong():
    """gets the server's codes and texts in its errors"""
    connection = connect()
    raises(taosrest.Error, ["table does not exist"], connection.query, f"select * from {DATABASE}.nowhere")
    raises(taosrest.Error, ["syntax error"], connection.query, "selec 1")
    equal(connection.query("select 1").data, [[1]])


@check
def a_wrong_login_is_refused():
    """is refused with a wrong password, and with a database that is not there"""
    wrong = taosrest.RestClient(URL, user="root", password="wrong")
    raises(taosrest.Error, ["authentication failure"], wrong.sql, "select 1")
    raises(taosrest.Error, ["database not exist"], client(database="no_such_database").sql, "show tables")


main("taospy")
