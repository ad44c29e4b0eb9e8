"""Both generations of prepared statements, and schemaless lines, of taos-ws-py against the server at TAOS_ADDRESS."""
import taosws

from checks import ADDRESS, BINDABLE, FULL, NAMES, NULLS, TAGS, check, equal, main, raises

DSN = f"taosws://root:taosdata@{ADDRESS}"
DATABASE = "judge_ws_stmt"
MANY = 10_000
FIRST = 1_700_000_000_000
MARKS = ", ".join(["?"] * (1 + len(FULL)))


def connect(database=DATABASE):
    return taosws.connect(f"{DSN}/{database}")


def rows(connection, sql):
    return [[bytes(value) if isinstance(value, (bytes, bytearray)) else value for value in row] for row in connection.query(sql)]


def columns(first):
    """A full row and, a second later, one of NULLs."""
    bind = [
        taosws.bools_to_column, taosws.tiny_ints_to_column, taosws.small_ints_to_column, taosws.ints_to_column,
        taosws.big_ints_to_column, taosws.unsigned_tiny_ints_to_column, taosws.unsigned_small_ints_to_column,
        taosws.unsigned_ints_to_column, taosws.unsigned_big_ints_to_column, taosws.floats_to_column,
        taosws.doubles_to_column, taosws.varchar_to_column, taosws.nchar_to_column, taosws.varbinary_to_column,
        taosws.geometry_to_column,
    ]
    times = taosws.millis_timestamps_to_column([first, first + 1000])
    return [times] + [to_column([value, None]) for to_column, value in zip(bind, FULL)]


def tags(values):
    place, floor = values
    return [taosws.varchar_to_tag(place), taosws.int_to_tag(floor)]


def holds_both_tables(connection, table):
    """Two rows each of d0 and d1, written by columns()."""
    equal(rows(connection, f"select {NAMES} from {table} order by ts"), [FULL, NULLS, FULL, NULLS])
    read = rows(connection, f"select tbname, place, floor from {table} where i32 is not null order by ts")
    equal([row[1:] for row in read], TAGS)
    return [row[0] for row in read]


@check
def creates_tables():
    """creates super tables of the types that can be bound"""
    connection = taosws.connect(DSN)
    connection.execute(f"create database {DATABASE} precision 'ms'")
    for table in ("first", "second"):
        sql = f"create table {DATABASE}.{table}_kinds (ts timestamp, {BINDABLE}) tags (place varchar(24), floor int)"
        connection.execute(sql)
    for table in ("first", "second"):
        connection.execute(f"create table {DATABASE}.{table}_many (ts timestamp, n int)")


@check
def binds_tables_of_the_first_generation():
    """statement() binds tags and columns of every type, and NULLs, for two tables"""
    connection = connect()
    statement = connection.statement()
    statement.prepare(f"insert into ? using first_kinds tags (?, ?) values ({MARKS})")
    for n, values in enumerate(TAGS):
        statement.set_tbname(f"f{n}")
        statement.set_tags(tags(values))
        statement.bind_param(columns(FIRST + 2000 * n))
        statement.add_batch()
    equal(statement.execute(), 4)
    equal(holds_both_tables(connection, "first_kinds"), ["f0", "f1"])


@check
def binds_a_json_tag():
    """statement() binds a JSON tag"""
    connection = connect()
    connection.execute("create table places (ts timestamp, n int) tags (info json)")
    statement = connection.statement()
    statement.prepare("insert into ? using places tags (?) values (?, ?)")
    statement.set_tbname("p1")
    statement.set_tags([taosws.json_to_tag('{"city":"Łódź"}')])
    statement.bind_param([taosws.millis_timestamps_to_column([FIRST]), taosws.ints_to_column([1])])
    statement.add_batch()
    equal(statement.execute(), 1)
    equal(rows(connection, "select n, info from places"), [[1, '{"city":"Łódź"}']])


@check
def executes_the_first_generation_again():
    """statement() executes again and again, and counts only the last execution"""
    connection = connect()
    statement = connection.statement()
    statement.prepare("insert into first_many values (?, ?)")
    for start in range(0, MANY, 2500):
        numbers = list(range(start, start + 2500))
        times = taosws.millis_timestamps_to_column([FIRST + n for n in numbers])
        statement.bind_param([times, taosws.ints_to_column(numbers)])
        statement.add_batch()
        equal(statement.execute(), 2500)
    equal(rows(connection, "select count(*), sum(n) from first_many"), [[MANY, MANY * (MANY - 1) // 2]])


@check
def the_first_generation_names_a_missing_table():
    """statement() is told of a table that is not there, and the connection goes on"""
    connection = connect()
    statement = connection.statement()
    statement.prepare("insert into ? values (?, ?)")
    raises(Exception, ["2603", "table does not exist"], statement.set_tbname, "nowhere")
    equal(rows(connection, "select 1"), [[1]])


@check
def binds_tables_of_the_second_generation():
    """stmt2_statement() binds three tables with tags and columns of every type in one message"""
    connection = connect()
    statement = connection.stmt2_statement()
    statement.prepare(f"insert into ? using second_kinds tags (?, ?) values ({MARKS})")
    statement.bind(
        [taosws.stmt2_bind_param_view(f"s{n}", tags(values), columns(FIRST + 2000 * n)) for n, values in enumerate(TAGS)]
    )
    equal(statement.execute(), 4)
    equal(holds_both_tables(connection, "second_kinds"), ["s0", "s1"])
    more = [taosws.stmt2_bind_param_view(f"s{n}", tags(["more", n]), columns(FIRST + 86_400_000 + 2000 * n)) for n in (2, 3, 4)]
    statement.bind(more)
    equal(statement.execute(), 6)
    equal(
        rows(connection, "select tbname, place, floor, i64 from second_kinds where ts > 1700000080000 and b = true order by ts"),
        [[f"s{n}", "more", n, FULL[4]] for n in (2, 3, 4)],
    )


@check
def binds_blobs():
    """stmt2_statement() binds BLOBs"""
    connection = connect()
    connection.execute("create table blobs (ts timestamp, b blob)")
    statement = connection.stmt2_statement()
    statement.prepare("insert into blobs values (?, ?)")
    values = [b"\x00\xff\x10", b"", None]
    times = taosws.millis_timestamps_to_column([FIRST, FIRST + 1, FIRST + 2])
    statement.bind([taosws.stmt2_bind_param_view(None, None, [times, taosws.blob_to_column(values)])])
    equal(statement.execute(), 3)
    equal(rows(connection, "select b from blobs order by ts"), [[value] for value in values])


@check
def executes_the_second_generation_again():
    """stmt2_statement() binds a plain table again and again"""
    connection = connect()
    statement = connection.stmt2_statement()
    statement.prepare("insert into second_many values (?, ?)")
    for start in range(0, MANY, 2500):
        numbers = list(range(start, start + 2500))
        times = taosws.millis_timestamps_to_column([FIRST + n for n in numbers])
        statement.bind([taosws.stmt2_bind_param_view(None, None, [times, taosws.ints_to_column(numbers)])])
        equal(statement.execute(), 2500)
    equal(rows(connection, "select count(*), sum(n) from second_many"), [[MANY, MANY * (MANY - 1) // 2]])


@check
def queries_with_parameters():
    """stmt2_statement() queries with parameters, and reads several blocks"""
    connection = connect()
    statement = connection.stmt2_statement()
    statement.prepare("select n from second_many where n >= ? order by ts")
    for start in (9_998, 100):
        statement.bind([taosws.stmt2_bind_param_view(None, None, [taosws.ints_to_column([start])])])
        statement.execute()
        equal([row[0] for row in statement.result_set()], list(range(start, MANY)))


@check
def the_second_generation_names_a_missing_table():
    """stmt2_statement() is told of a table that is not there, and the connection goes on"""
    connection = connect()

    def insert():
        statement = connection.stmt2_statement()
        statement.prepare("insert into nowhere values (?, ?)")
        times = taosws.millis_timestamps_to_column([FIRST])
        statement.bind([taosws.stmt2_bind_param_view(None, None, [times, taosws.ints_to_column([1])])])
        statement.execute()

    raises(Exception, ["table does not exist"], insert)
    equal(rows(connection, "select 1"), [[1]])


@check
def writes_lines():
    """writes schemaless lines, whose names and types make the tables"""
    connection = connect()
    lines = [
        'meters,room=hall,site=Łódź current=10.5f64,ok=t,n=-7i32,u=255u8,name=L"żółw",text="plain words" 1700000000000',
        "meters,room=attic current=12,late=1i64 1700000002000",
    ]
    protocol, precision = taosws.PySchemalessProtocol.Line, taosws.PySchemalessPrecision.Millisecond
    connection.schemaless_insert(lines, protocol, precision, 1, 1)
    names = "current, ok, n, u, name, text, late, room, site"
    equal(
        rows(connection, f"select {names} from meters order by _ts"),
        [
            [10.5, True, -7, 255, "żółw", "plain words", None, "hall", "Łódź"],
            [12.0, None, None, None, None, None, 1, "attic", None],
        ],
    )
    raises(Exception, ["3002", "sml line invalid data: line"], connection.schemaless_insert, ["not a line"], protocol, precision, 1, 2)
    equal(rows(connection, "select 1"), [[1]])


@check
def writes_telnet_lines():
    """writes telnet lines"""
    connection = connect()
    lines = ["cpu.load 1700000000 0.5 node=a", "cpu.load 1700000001 0.75 node=b"]
    connection.schemaless_insert(lines, taosws.PySchemalessProtocol.Telnet, taosws.PySchemalessPrecision.Second, 1, 3)
    equal(rows(connection, "select _value, node from cpu_load order by _ts"), [[0.5, "a"], [0.75, "b"]])


@check
def writes_json():
    """writes schemaless JSON"""
    connection = connect()
    point = '{"metric":"temp","timestamp":1700000000000,"value":21.5,"tags":{"room":"hall","floor":2}}'
    connection.schemaless_insert([point], taosws.PySchemalessProtocol.Json, taosws.PySchemalessPrecision.Millisecond, 1, 4)
    equal(rows(connection, "select _value, room, floor from temp"), [[21.5, "hall", 2.0]])


main("taos-ws-py")
