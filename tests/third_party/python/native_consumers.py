"""Subscriptions of taospy in its native form, against the server at TAOS_ADDRESS."""
import itertools
import time

from taos.error import TmqError
from taos.tmq import Consumer, TopicPartition

from checks import COLUMNS, check, equal, main, raises
from libtaos import EVERY, FIRST, HOST, PATIENCE, PORT, connect

DATABASE = "judge_native_tmq"
TABLES = 8
ROWS_EACH = 5
NULLS = [None] * len(EVERY)
# How long to wait for what must not come.
SILENCE = 0.3


def consumer(group, **more):
    return Consumer(
        {
            "td.connect.ip": HOST,
            "td.connect.port": PORT,
            "td.connect.user": "root",
            "td.connect.pass": "taosdata",
            "group.id": group,
            "client.id": f"{group}_client",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": "false",
            "msg.with.table.name": "true",
            **{key.replace("_", "."): value for key, value in more.items()},
        }
    )


def subscribed(group, topic, **more):
    reader = consumer(group, **more)
    reader.subscribe([topic])
    return reader


def messages(reader, rows):
    """Messages with their blocks until there were so many rows, and a moment longer for one too many."""
    found, missing, deadline = [], rows, time.monotonic() + PATIENCE

    def take(message):
        equal(message.error(), None)
        blocks = message.value()
        found.append((message, blocks))
        return sum(block.nrows() for block in blocks)

    while missing > 0 and time.monotonic() < deadline:
        message = reader.poll(0.5)
        if message is not None:
            missing -= take(message)
    last = reader.poll(SILENCE)
    if last is not None:
        take(last)
    return found


def drain(reader, rows):
    return [list(row) for _, blocks in messages(reader, rows) for block in blocks for row in block]


def numbers(name):
    """A super table of numbered rows and a topic of the same name, which selects them; gives what a consumer reads."""
    connection = connect()
    connection.execute(f"create table {DATABASE}.{name} (ts timestamp, n int) tags (id int)")
    connection.execute(f"create topic {name} as select tbname, n, id from {DATABASE}.{name}")
    return [row for table in range(TABLES) for row in write(connection, name, table, range(ROWS_EACH))]


def write(connection, name, table, numbers):
    values = " ".join(f"({FIRST + 1000 * table + n}, {100 * table + n})" for n in numbers)
    connection.execute(f"insert into {DATABASE}.{name}_{table} using {DATABASE}.{name} tags ({table}) values {values}")
    return [[f"{name}_{table}", 100 * table + n, table] for n in numbers]


def ordered(rows):
    return sorted(rows, key=lambda row: row[1])


def kinds(rows, place):
    """Rows of `kinds` in the order of their times, which are checked and left out."""
    rows = sorted(rows, key=lambda row: row[place])
    equal(
        [round(row[place].timestamp() * 1000) for row in rows],
        [FIRST + 1000 * table + n for table in range(TABLES) for n in (0, 1)],
    )
    return [row[:place] + row[place + 1 :] for row in rows]


@check
def creates_topics():
    """creates a database of four vgroups, and topics of each kind"""
    connection = connect()
    columns = ", ".join(f"{name} {ty}" for name, (ty, _) in COLUMNS.items())
    connection.execute(f"create database {DATABASE} precision 'ms' vgroups 4 wal_retention_period 3600")
    connection.execute(f"create table {DATABASE}.kinds (ts timestamp, {columns}) tags (place varchar(24), floor int)")
    table = f"{DATABASE}.kinds"
    connection.execute(f"create topic c_select as select tbname, ts, {', '.join(COLUMNS)}, place, floor from {table}")
    connection.execute(f"create topic c_stable as stable {table}")
    connection.execute(f"create topic c_meta with meta as database {DATABASE}")
    values = ", ".join(literal for _, literal in COLUMNS.values())
    nulls = ", ".join("null" for _ in COLUMNS)
    for n in range(TABLES):
        tags = f"'Gdańsk 🐢', {n}" if n else "null, null"
        full, empty = FIRST + 1000 * n, FIRST + 1000 * n + 1
        connection.execute(
            f"insert into {DATABASE}.k{n} using {table} tags ({tags}) values ({full}, {values}) ({empty}, {nulls})"
        )


@check
def reads_a_query_topic():
    """reads every type, NULLs, names and tags from a topic of a query"""
    reader = subscribed("select", "c_select")
    found = messages(reader, 2 * TABLES)
    equal({(message.topic(), message.database()) for message, _ in found}, {("c_select", DATABASE)})
    rows = [list(row) for _, blocks in found for block in blocks for row in block]
    expected = [
        [f"k{n}", *values, *(["Gdańsk 🐢", n] if n else [None, None])] for n in range(TABLES) for values in (EVERY, NULLS)
    ]
    equal(kinds(rows, 1), expected)
    reader.close()


@check
def reads_a_stable_topic():
    """reads the columns of a super table under their own names, block by block with the name of its table"""
    reader = subscribed("stable", "c_stable")
    found = []
    for _, blocks in messages(reader, 2 * TABLES):
        for block in blocks:
            equal([field.name for field in block.fields()], ["ts", *COLUMNS])
            equal(block.table() in {f"k{n}" for n in range(TABLES)}, True)
            found += [list(row) for row in block]
    equal(kinds(found, 0), [values for _ in range(TABLES) for values in (EVERY, NULLS)])
    reader.close()


@check
def reads_a_topic_with_meta():
    """reads the rows of a database's topic, and messages of tables beside them"""
    reader = subscribed("meta", "c_meta")
    rows, metas, deadline = [], 0, time.monotonic() + PATIENCE
    while len(rows) < 2 * TABLES and time.monotonic() < deadline:
        message = reader.poll(0.5)
        blocks = message.value() if message else []
        metas += blocks is None
        rows += [list(row) for block in blocks or [] for row in block]
    equal(kinds(rows, 0), [values for _ in range(TABLES) for values in (EVERY, NULLS)])
    equal(metas > 0, True)
    reader.close()


@check
def seeks_back():
    """lists four vgroups, seeks to their begin and reads all again"""
    expected = numbers("c_seek")
    reader = subscribed("seek", "c_seek")
    equal(ordered(drain(reader, len(expected))), expected)
    places = reader.assignment()
    equal(len({place.partition for place in places}), 4)
    for place in places:
        equal(place.topic, "c_seek")
        (position,) = reader.position([TopicPartition("c_seek", place.partition, 0)])
        equal(place.begin <= position.offset <= place.end, True)
        reader.seek(TopicPartition("c_seek", place.partition, place.begin))
    equal(ordered(drain(reader, len(expected))), expected)
    equal(reader.list_topics(), ["c_seek"])
    reader.close()


@check
def commits_offsets():
    """commits an offset of its own choice, and is told it"""
    expected = numbers("c_offsets")
    reader = subscribed("offsets", "c_offsets")
    equal(ordered(drain(reader, len(expected))), expected)
    for place in reader.assignment():
        for offset in (place.end, place.begin):
            reader.commit(offsets=[TopicPartition("c_offsets", place.partition, offset)])
            (told,) = reader.committed([TopicPartition("c_offsets", place.partition, 0)])
            equal(told.offset, offset)
    reader.close()
    again = subscribed("offsets", "c_offsets")
    equal(ordered(drain(again, len(expected))), expected)
    again.close()


@check
def goes_on_after_a_commit():
    """commits messages; another consumer of the group goes on behind them"""
    expected = numbers("c_resume")
    first = subscribed("resume", "c_resume")
    taken = []
    for message in itertools.islice(iter(lambda: first.poll(PATIENCE), None), 2):
        taken += [list(row) for block in message.value() for row in block]
        first.commit(message)
    first.close()
    second = subscribed("resume", "c_resume")
    rest = drain(second, len(expected) - len(taken))
    equal(bool(taken) and bool(rest), True)
    equal(ordered(taken + rest), expected)
    second.commit()
    second.unsubscribe()
    second.close()
    third = subscribed("resume", "c_resume")
    equal(drain(third, 0), [])
    third.close()


@check
def commits_by_itself():
    """commits by itself, when asked to"""
    expected = numbers("c_auto")
    automatic = {"enable_auto_commit": "true", "auto_commit_interval_ms": "100"}
    reader = subscribed("auto", "c_auto", **automatic)
    equal(ordered(drain(reader, len(expected))), expected)
    deadline = time.monotonic() + PATIENCE
    done = False
    while not done and time.monotonic() < deadline:
        reader.poll(0.05)
        places = reader.assignment()
        try:
            done = all(
                reader.committed([TopicPartition("c_auto", place.partition, 0)])[0].offset
                == reader.position([TopicPartition("c_auto", place.partition, 0)])[0].offset
                for place in places
            )
        except TmqError:
            # Nothing has been committed of this vgroup yet.
            done = False
    equal(done, True)
    reader.close()


@check
def starts_at_latest():
    """sees only what is written after it came, when it starts at latest"""
    numbers("c_latest")
    reader = subscribed("latest", "c_latest", auto_offset_reset="latest")
    equal(drain(reader, 0), [])
    more = write(connect(), "c_latest", 1, range(60, 63)) + write(connect(), "c_latest", 6, range(60, 62))
    equal(ordered(drain(reader, len(more))), more)
    reader.close()


@check
def mistakes_are_named():
    """is told of a key, a value, a topic and a password that are wrong"""
    raises(TmqError, ["no.such.key"], lambda: consumer("wrong", no_such_key="1"))
    raises(TmqError, ["auto.offset.reset"], lambda: consumer("wrong", auto_offset_reset="yesterday"))
    reader = consumer("unknown")
    raises(TmqError, ["3e1"], reader.subscribe, ["no_such_topic"])
    reader.close()
    raises(TmqError, [], lambda: subscribed("login", "c_select", td_connect_pass="wrong"))


main("taospy native consumer")
