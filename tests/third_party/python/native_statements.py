"""Statements of both generations and schemaless lines of taospy in its native form, against the server at
TAOS_ADDRESS."""
import taos

from checks import BINDABLE, FULL, NAMES, NULLS, TAGS, check, equal, main, raises
from libtaos import FIRST, MANY, connect, rows

DATABASE = "judge_native_stmt"
MARKS = ", ".join(["?"] * (1 + len(FULL)))
# What a value of FULL is bound by, in its order.
KINDS = (
    "bool tinyint smallint int bigint tinyint_unsigned smallint_unsigned int_unsigned bigint_unsigned float double "
    "varchar nchar varbinary geometry"
).split()


def session():
    return connect(DATABASE)


def holds_both_tables(connection, table):
    """Two rows each of two tables: a full one and one of NULLs; gives the tables' names."""
    equal(rows(connection, f"select {NAMES} from {table} order by ts"), [FULL, NULLS, FULL, NULLS])
    read = rows(connection, f"select tbname, place, floor from {table} where i32 is not null order by ts")
    equal([row[1:] for row in read], TAGS)
    return [row[0] for row in read]


@check
def creates_tables():
    """creates super tables of the types that can be bound"""
    connection = connect()
    connection.execute(f"create database {DATABASE} precision 'ms'")
    for table in ("first", "second"):
        sql = f"create table {DATABASE}.{table}_kinds (ts timestamp, {BINDABLE}) tags (place varchar(24), floor int)"
        connection.execute(sql)
        connection.execute(f"create table {DATABASE}.{table}_many (ts timestamp, n int)")


def tags_of_the_first(values):
    place, floor = values
    binds = taos.new_multi_binds(2)
    binds[0].varchar([place])
    binds[1].int([floor])
    return binds


def columns_of_the_first(first):
    """A full row and, a second later, one of NULLs."""
    binds = taos.new_multi_binds(1 + len(FULL))
    binds[0].timestamp([first, first + 1000])
    for place, (kind, value) in enumerate(zip(KINDS, FULL), 1):
        getattr(binds[place], kind)([value, None])
    return binds


@check
def binds_tables_of_the_first_generation():
    """statement() binds tags and columns of every type, and NULLs, for two tables"""
    connection = session()
    statement = connection.statement()
    statement.prepare(f"insert into ? using first_kinds tags (?, ?) values ({MARKS})")
    for n, values in enumerate(TAGS):
        statement.set_tbname_tags(f"f{n}", tags_of_the_first(values))
        statement.bind_param_batch(columns_of_the_first(FIRST + 2000 * n))
    statement.execute()
    equal(statement.affected_rows, 4)
    statement.close()
    equal(holds_both_tables(connection, "first_kinds"), ["f0", "f1"])


@check
def executes_the_first_generation_again():
    """statement() executes again and again, and counts all executions"""
    connection = session()
    statement = connection.statement("insert into first_many values (?, ?)")
    for start in range(0, MANY, 2500):
        numbers = list(range(start, start + 2500))
        binds = taos.new_multi_binds(2)
        binds[0].timestamp([FIRST + n for n in numbers])
        binds[1].int(numbers)
        statement.bind_param_batch(binds)
        statement.execute()
        equal(statement.affected_rows, start + 2500)
    equal(rows(connection, "select count(*), sum(n) from first_many"), [[MANY, MANY * (MANY - 1) // 2]])


@check
def queries_with_the_first_generation():
    """statement() queries with a parameter"""
    connection = session()
    statement = connection.statement("select n from first_many where n >= ? order by ts")
    for start in (9_998, 100):
        bind = taos.new_multi_binds(1)
        bind[0].int([start])
        statement.bind_param_batch(bind)
        statement.execute()
        equal([row[0] for row in statement.use_result().fetch_all()], list(range(start, MANY)))
    statement.close()


@check
def the_first_generation_names_a_missing_table():
    """statement() is told of a table that is not there, and the connection goes on"""
    connection = session()
    statement = connection.statement("insert into ? values (?, ?)")

    def insert():
        statement.set_tbname("nowhere")
        binds = taos.new_multi_binds(2)
        binds[0].timestamp([FIRST])
        binds[1].int([1])
        statement.bind_param_batch(binds)
        statement.execute()

    raises(taos.StatementError, ["table does not exist"], insert)
    statement.close()
    equal(rows(connection, "select 1"), [[1]])


def table_of_the_second(first):
    return [[first, first + 1000]] + [[value, None] for value in FULL]


@check
def binds_tables_of_the_second_generation():
    """statement2() binds three tables with tags and columns of every type at once"""
    connection = session()
    statement = connection.statement2(f"insert into ? using second_kinds tags (?, ?) values ({MARKS})")
    names = [f"s{n}" for n in range(len(TAGS))]
    statement.bind_param(names, TAGS, [table_of_the_second(FIRST + 2000 * n) for n in range(len(TAGS))])
    equal(statement.execute(), 4)
    equal(holds_both_tables(connection, "second_kinds"), names)
    more = range(2, 5)
    statement.bind_param(
        [f"s{n}" for n in more],
        [["more", n] for n in more],
        [table_of_the_second(FIRST + 86_400_000 + 2000 * n) for n in more],
    )
    equal(statement.execute(), 6)
    statement.close()
    equal(
        rows(connection, "select tbname, place, floor, i64 from second_kinds where ts > 1700000080000 and b = true order by ts"),
        [[f"s{n}", "more", n, FULL[4]] for n in more],
    )


@check
def is_told_the_fields_of_the_second_generation():
    """statement2() is told names, kinds and widths of what it binds"""
    statement = session().statement2(f"insert into ? using second_kinds tags (?, ?) values ({MARKS})")
    count, fields = statement.get_fields()
    equal(count, 4 + len(FULL))
    told = [(field.name, field.field_type) for field in fields]
    names = ["tbname", "place", "floor", "ts", *NAMES.split(", ")]
    equal(told, list(zip(names, [4, 2, 2] + [1] * (1 + len(FULL)))))
    equal(statement.is_insert(), True)


@check
def executes_the_second_generation_again():
    """statement2() binds a plain table again and again"""
    connection = session()
    statement = connection.statement2("insert into second_many values (?, ?)")
    for start in range(0, MANY, 2500):
        numbers = list(range(start, start + 2500))
        statement.bind_param(None, None, [[[FIRST + n for n in numbers], numbers]])
        equal(statement.execute(), 2500)
    equal(rows(connection, "select count(*), sum(n) from second_many"), [[MANY, MANY * (MANY - 1) // 2]])


@check
def queries_with_the_second_generation():
    """statement2() queries with parameters, and reads several blocks"""
    statement = session().statement2("select n from second_many where n >= ? order by ts")
    equal(statement.is_insert(), False)
    for start in (9_998, 100):
        statement.bind_param(None, None, [[start]])
        statement.execute()
        equal([row[0] for row in statement.result().fetch_all()], list(range(start, MANY)))
    statement.close()


@check
def binds_json_tags_and_blobs():
    """statement2() binds JSON tags and BLOBs"""
    connection = session()
    connection.execute("create table places (ts timestamp, b blob) tags (info json)")
    statement = connection.statement2("insert into ? using places tags (?) values (?, ?)")
    blobs = [b"\x00\xff\x10", b"", None]
    statement.bind_param(["p1"], [['{"city":"Łódź"}']], [[[FIRST, FIRST + 1, FIRST + 2], blobs]])
    equal(statement.execute(), 3)
    equal(rows(connection, "select b, info from places order by ts"), [[blob, '{"city":"Łódź"}'] for blob in blobs])


@check
def the_second_generation_names_a_missing_table():
    """statement2() is told of a table that is not there, and the connection goes on"""
    connection = session()
    raises(taos.StatementError, ["table does not exist"], connection.statement2, "insert into nowhere values (?, ?)")
    equal(rows(connection, "select 1"), [[1]])


LINES = [
    'meters,room=hall,site=Łódź current=10.5f64,ok=t,n=-7i32,u=255u8,name=L"żółw",text="plain words" 1700000000000',
    "meters,room=attic current=12,late=1i64 1700000002000",
]
PROTOCOL, PRECISION = taos.SmlProtocol, taos.SmlPrecision


@check
def writes_lines():
    """writes schemaless lines, whose names and types make the tables"""
    connection = session()
    equal(connection.schemaless_insert(LINES, PROTOCOL.LINE_PROTOCOL, PRECISION.MILLI_SECONDS), 2)
    names = "current, ok, n, u, name, text, late, room, site"
    equal(
        rows(connection, f"select {names} from meters order by _ts"),
        [
            [10.5, True, -7, 255, "żółw", "plain words", None, "hall", "Łódź"],
            [12.0, None, None, None, None, None, 1, "attic", None],
        ],
    )


@check
def writes_lines_in_every_form():
    """writes lines as an array and as a text, with a request id and with days to live"""
    connection = session()
    forms = [
        (connection.schemaless_insert, {}),
        (connection.schemaless_insert, {"req_id": 1}),
        (connection.schemaless_insert, {"ttl": 5}),
        (connection.schemaless_insert, {"req_id": 2, "ttl": 5}),
        (connection.schemaless_insert_raw, {}),
        (connection.schemaless_insert_raw, {"req_id": 3}),
        (connection.schemaless_insert_raw, {"ttl": 5}),
        (connection.schemaless_insert_raw, {"req_id": 4, "ttl": 5}),
    ]
    for n, (insert, more) in enumerate(forms):
        lines = [f"forms,form={n} v={2 * n + m}i64 {FIRST + m}" for m in (0, 1)]
        if insert == connection.schemaless_insert_raw:
            lines = "\n".join(lines)
        equal(insert(lines, PROTOCOL.LINE_PROTOCOL, PRECISION.MILLI_SECONDS, **more), 2)
    equal(rows(connection, "select v from forms order by v"), [[n] for n in range(2 * len(forms))])


@check
def writes_telnet_lines_and_json():
    """writes telnet lines, and schemaless JSON"""
    connection = session()
    lines = ["cpu.load 1700000000 0.5 node=a", "cpu.load 1700000001 0.75 node=b"]
    equal(connection.schemaless_insert(lines, PROTOCOL.TELNET_PROTOCOL, PRECISION.SECONDS), 2)
    equal(rows(connection, "select _value, node from cpu_load order by _ts"), [[0.5, "a"], [0.75, "b"]])
    point = '{"metric":"temp","timestamp":1700000000000,"value":21.5,"tags":{"room":"hall","floor":2}}'
    equal(connection.schemaless_insert([point], PROTOCOL.JSON_PROTOCOL, PRECISION.MILLI_SECONDS), 1)
    equal(rows(connection, "select _value, room, floor from temp"), [[21.5, "hall", 2.0]])


@check
def a_wrong_line_is_named():
    """is told which line is wrong, and the connection goes on"""
    connection = session()
    arguments = ["not a line"], PROTOCOL.LINE_PROTOCOL, PRECISION.MILLI_SECONDS
    raises(taos.SchemalessError, ["[0x3002]", "sml line invalid data: line"], connection.schemaless_insert, *arguments)
    equal(rows(connection, "select 1"), [[1]])


main("taospy native")
