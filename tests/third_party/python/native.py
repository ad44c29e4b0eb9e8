"""The published Python client taospy in its native form (ctypes) through the libtaos that LD_LIBRARY_PATH leads to,
against the server at TAOS_ADDRESS: statements of SQL, results by blocks and by rows, callbacks, errors."""
import threading

import taos

from checks import COLUMNS, check, equal, main, raises, setup_statements
from libtaos import EVERY, FIRST, HOST, MANY, PATIENCE, PORT, connect, rows

DATABASE = "judge_native"
# What the client reads whole of a row: it takes other bytes to end at the first zero.
TEXTS_AND_NUMBERS = [name for name in COLUMNS if name not in ("vb", "geo")]


@check
def connects():
    """connects by host and port, and tells both versions"""
    connection = connect()
    for version in (connection.client_info, connection.server_info.removeprefix("ver:")):
        equal(version.split(".")[0], "3")
    equal(rows(connection, "select server_version()")[0][0].split(".")[0], "3")
    connection.close()
    connection.close()


@check
def creates_and_inserts():
    """creates a super table of every type and inserts into it"""
    connection = connect()
    affected = [connection.execute(sql) for sql in setup_statements(DATABASE)]
    equal(affected[-3:], [1, 1, 1])


@check
def reads_blocks_of_every_type():
    """reads every type, and NULLs of every type, by blocks"""
    result = connect(DATABASE).query(f"select {', '.join(COLUMNS)} from d1 order by ts")
    equal([field.name for field in result.fields], list(COLUMNS))
    equal(result.fetch_all(), [tuple(EVERY), (None,) * len(EVERY)])


@check
def reads_rows_of_every_type():
    """reads texts and numbers of every type, and NULLs, row by row"""
    result = connect(DATABASE).query(f"select {', '.join(TEXTS_AND_NUMBERS)} from d1 order by ts")
    expected = tuple(value for name, value in zip(COLUMNS, EVERY) if name in TEXTS_AND_NUMBERS)
    equal([row() for row in result.rows_iter()], [expected, (None,) * len(expected)])


@check
def prints_rows():
    """prints rows as text"""
    result = connect(DATABASE).query("select i32, vc, nc, f64, ts from d1 order by ts")
    printed = [str(row) for row in result.rows_iter()]
    equal(printed, [f'-2147483648 plain "text" żółw 🐢 2.250000 {FIRST}', f"NULL NULL NULL NULL {FIRST + 1000}"])


@check
def describes_columns():
    """is told the types and widths of columns"""
    result = connect(DATABASE).query("select i32, vc, nc, d128, place from kinds")
    equal([(field.type, field.bytes) for field in result.fields], [(4, 4), (8, 32), (10, 32), (17, 16), (8, 24)])
    equal(result.precision, 0)


@check
def reads_timestamps_of_each_precision():
    """reads timestamps in milliseconds, microseconds and nanoseconds"""
    connection = connect()
    for precision, unit in (("ms", 1), ("us", 10**3), ("ns", 10**6)):
        database = f"{DATABASE}_{precision}"
        connection.execute(f"create database {database} precision '{precision}'")
        connection.execute(f"create table {database}.t (ts timestamp, n int)")
        connection.execute(f"insert into {database}.t values ({FIRST * unit}, 1)")
        ((moment,),) = rows(connection, f"select ts from {database}.t")
        equal(moment if precision == "ns" else moment.timestamp(), FIRST * unit if precision == "ns" else FIRST / 1000)


@check
def reads_blobs():
    """reads BLOBs"""
    connection = connect(DATABASE)
    connection.execute("create table blobs (ts timestamp, b blob)")
    connection.execute(f"insert into blobs values ({FIRST}, '\\x00ff10') ({FIRST + 1}, '') ({FIRST + 2}, null)")
    equal(rows(connection, "select b from blobs order by ts"), [[b"\x00\xff\x10"], [b""], [None]])


@check
def reads_json_tags():
    """reads JSON tags"""
    connection = connect(DATABASE)
    connection.execute("create table places (ts timestamp, n int) tags (info json)")
    connection.execute("insert into p1 using places tags ('{\"city\":\"Łódź\"}') values (1700000000000, 1)")
    connection.execute("insert into p2 using places tags (null) values (1700000000001, 2)")
    equal(rows(connection, "select n, info from places order by n"), [[1, '{"city":"Łódź"}'], [2, None]])


@check
def reads_many_blocks():
    """reads ten thousand rows in order: all at once, block by block, row by row, and through a cursor"""
    connection = connect(DATABASE)
    connection.execute("create table many (ts timestamp, n int)")
    for start in range(0, MANY, 1000):
        values = " ".join(f"({FIRST + n}, {n})" for n in range(start, start + 1000))
        equal(connection.execute(f"insert into many values {values}"), 1000)
    sql, expected = "select n from many order by ts", list(range(MANY))
    equal([row[0] for row in connection.query(sql).fetch_all()], expected)
    equal([row[0] for block, _ in connection.query(sql).blocks_iter() for row in block], expected)
    equal([row()[0] for row in connection.query(sql).rows_iter()], expected)
    cursor = connection.cursor()
    cursor.execute(sql)
    equal([row[0] for row in cursor.fetchall()], expected)
    # A result that is let go half read leaves the connection as it was.
    half = connection.query(sql)
    next(half.blocks_iter())
    half.close()
    equal(rows(connection, "select 1"), [[1]])


@check
def gives_request_ids():
    """takes a request id with a statement"""
    equal(connect().query("select 1", req_id=7).fetch_all(), [(1,)])


class Waiting:
    """What a callback was told; each callback is called once, on a thread of the library."""

    def __init__(self):
        self.told, self.came = [], threading.Event()

    def __call__(self, _param, result, code):
        self.told.append((result, code, threading.current_thread() is threading.main_thread()))
        self.came.set()

    def wait(self):
        equal(self.came.wait(PATIENCE), True)
        ((result, code, on_this_thread),) = self.told
        equal(on_this_thread, False)
        return result, code


@check
def queries_with_a_callback():
    """is called back with a result, then with its rows until there are none"""
    connection = connect(DATABASE)
    answer = Waiting()
    connection.query_a("select n from many order by ts", answer, None)
    handle, code = answer.wait()
    equal(code, 0)
    result = taos.TaosResult(handle, close_after=True)
    read = 0
    while True:
        block = Waiting()
        result.fetch_rows_a(block, None)
        _, count = block.wait()
        if count <= 0:
            break
        read += count
    equal((count, read), (0, MANY))
    result.close()


@check
def a_callback_is_told_of_errors():
    """is called back with the code of an error, and a result that has its text"""
    answer = Waiting()
    connection = connect(DATABASE)
    connection.query_a("select * from nowhere", answer, None)
    handle, code = answer.wait()
    equal(code & 0xFFFF, 0x2603)
    result = taos.TaosResult(handle, close_after=True)
    equal((result.errno() & 0xFFFF, "table does not exist" in result.errstr().lower()), (0x2603, True))


@check
def many_callbacks_are_under_way():
    """has sixty-four statements under way on one connection"""
    connection = connect()
    answers = [Waiting() for _ in range(64)]
    for n, answer in enumerate(answers):
        connection.query_a(f"select {n}", answer, None)
    for n, answer in enumerate(answers):
        handle, code = answer.wait()
        equal((code, taos.TaosResult(handle, close_after=True).fetch_all()), (0, [(n,)]))


@check
def threads_share_a_connection():
    """queries from eight threads on one connection"""
    connection = connect()
    found = {}

    def ask(n):
        found[n] = [rows(connection, f"select {n}")[0][0] for _ in range(20)]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    equal(found, {n: [n] * 20 for n in range(8)})


@check
def chooses_a_database():
    """selects a database, and stays in it"""
    connection = connect()
    connection.select_db(DATABASE)
    equal(rows(connection, "select database()"), [[DATABASE]])
    raises(taos.Error, ["388"], connection.select_db, "no_such_database")
    equal(rows(connection, "select database()"), [[DATABASE]])


@check
def sets_options_of_a_connection():
    """sets the time zone and the program's name of a connection"""
    connection = connect(DATABASE, user_app="judge", user_ip="192.0.2.7")
    sql = "select count(*) from d2 where ts = '{}'"
    connection.set_option(1, "Asia/Kolkata")
    equal(rows(connection, sql.format("2023-11-15 03:43:22")), [[1]])
    other = connect(DATABASE)
    other.set_option(1, "Europe/Oslo")
    equal(rows(other, sql.format("2023-11-14 23:13:22")), [[1]])


@check
def tells_where_a_table_lies():
    """is told the vgroup of a table"""
    connection = connect()
    tables = f"select vgroup_id from information_schema.ins_tables where db_name = '{DATABASE}' and table_name = 'd1'"
    equal([[connection.get_table_vgroup_id(DATABASE, "d1")]], rows(connection, tables))


@check
def validates_statements():
    """checks a statement without running it"""
    connection = connect(DATABASE)
    equal(taos.cinterface.taos_validate_sql(connection._conn, "select * from d1"), None)
    equal(taos.cinterface.taos_validate_sql(connection._conn, "selec 1") is None, False)


@check
def errors_name_what_is_wrong():
    """gets the server's codes and texts in its errors"""
    connection = connect(DATABASE)
    raises(taos.ProgrammingError, ["[0x2603]", "table does not exist"], connection.query, "select * from nowhere")
    raises(taos.ProgrammingError, ["[0x2600]", "syntax error"], connection.query, "selec 1")
    equal(rows(connection, "select 1"), [[1]])


@check
def a_wrong_login_is_refused():
    """is refused with a wrong password, with a database that is not there, and where nobody listens"""
    login = {"host": HOST, "port": int(PORT), "user": "root"}
    raises(taos.error.ConnectionError, ["[0x0357]"], lambda: taos.connect(**login, password="wrong"))
    raises(taos.error.ConnectionError, ["[0x0388]"], lambda: connect("no_such_database"))
    raises(taos.error.ConnectionError, [], lambda: taos.connect(host=HOST, port=1))


@check
def what_has_no_meaning_says_so():
    """is told by a code that there is no table information to load"""
    connection = connect()
    try:
        connection.load_table_info("d1")
    except taos.Error as error:
        equal((error.errno & 0xFFFF, "taos_load_table_info" in str(error)), (0x0100, True))
    else:
        raise AssertionError("it loaded something")


@check
def everything_that_the_client_names_is_there():
    """finds every function that it declares"""
    equal({name: str(why) for name, why in taos.cinterface._UNSUPPORTED.items() if name not in OLD}, {})


# Of the second major version, or of no released library.
OLD = {"taos_subscribe", "taos_consume", "taos_unsubscribe", "taos_connect_test"}

main("taospy native")
