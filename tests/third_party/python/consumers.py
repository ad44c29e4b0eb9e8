"""Subscriptions of taos-ws-py to topics of each kind, against the server at TAOS_ADDRESS."""
import itertools
import time
from decimal import Decimal

import taosws

from checks import ADDRESS, COLUMNS, POINT, check, equal, main, raises

HOST, PORT = ADDRESS.rsplit(":", 1)
DATABASE = "judge_py_tmq"
FIRST = 1_700_000_000_000
# Enough of them that each of the four vgroups has some.
TABLES = 8
ROWS_EACH = 5
NAMES = ", ".join(COLUMNS)
FULL = [
    True, -128, -32768, -2147483648, -9223372036854775807, 255, 65535, 4294967295, 18446744073709551615,
    1.5, 2.25, 'plain "text"', "żółw 🐢", b"\x00\xff\x10", POINT,
    Decimal("123.45"), Decimal("12345678901234567890.123456"),
]
NULLS = [None] * len(FULL)
# How long to wait for what must come, and for what must not.
PATIENCE = 30
SILENCE = 0.3


def connect():
    return taosws.connect(f"taosws://root:taosdata@{ADDRESS}")


def consumer(group, **more):
    return taosws.Consumer(
        conf={
            "td.connect.websocket.scheme": "ws",
            "td.connect.ip": HOST,
            "td.connect.port": PORT,
            "td.connect.user": "root",
            "td.connect.pass": "taosdata",
            "group.id": group,
            "client.id": f"{group}_client",
            "auto.offset.reset": "earliest",
            **{key.replace("_", "."): value for key, value in more.items()},
        }
    )


def subscribed(group, topic, **more):
    reader = consumer(group, **more)
    reader.subscribe([topic])
    return reader


def plain(value):
    return bytes(value) if isinstance(value, (bytes, bytearray)) else value


def rows_of(message):
    return [[plain(value) for value in row] for block in message for row in block.fetchall()]


def messages(reader, rows):
    """Messages with their rows until there were so many rows, and a moment longer for one too many."""
    found, missing, deadline = [], rows, time.monotonic() + PATIENCE
    while missing > 0 and time.monotonic() < deadline:
        message = reader.poll(0.5)
        if message is not None:
            found.append((message, rows_of(message)))
            missing -= len(found[-1][1])
    last = reader.poll(SILENCE)
    if last is not None:
        found.append((last, rows_of(last)))
    return found


def drain(reader, rows):
    return [row for _, read in messages(reader, rows) for row in read]


def silent(reader):
    equal(drain(reader, 0), [])


def eventually(holds):
    """Asks again and again, since the server may take a moment; gives what held."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = holds()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def numbers(name):
    """A super table of numbered rows and a topic of the same name, which selects them; gives what a consumer reads."""
    connection = connect()
    connection.execute(f"create table {DATABASE}.{name} (ts timestamp, n int) tags (id int)")
    connection.execute(f"create topic {name} as select tbname, ts, n, id from {DATABASE}.{name}")
    return [row for table in range(TABLES) for row in write(connection, name, table, range(ROWS_EACH))]


def write(connection, name, table, numbers):
    """Rows of one table; gives them without their time."""
    values = " ".join(f"({FIRST + 1000 * table + n}, {100 * table + n})" for n in numbers)
    connection.execute(f"insert into {DATABASE}.{name}_{table} using {DATABASE}.{name} tags ({table}) values {values}")
    return [[f"{name}_{table}", 100 * table + n, table] for n in numbers]


def numbered(rows):
    """What rows of a topic of numbers say, in the order of their numbers; checks their times."""
    for _, moment, n, table in rows:
        equal(moment.timestamp() * 1000, FIRST + 1000 * table + n - 100 * table)
    return sorted(([name, n, table] for name, _, n, table in rows), key=lambda row: row[1])


def places(reader, topic):
    """Each vgroup with its assignment."""
    (found,) = [entry for entry in reader.assignment() if entry.topic() == topic]
    return {place.vg_id(): place for place in found.assignments()}


@check
def creates_a_database_of_four_vgroups():
    """creates a database of four vgroups, and topics of each kind"""
    connection = connect()
    columns = ", ".join(f"{name} {ty}" for name, (ty, _) in COLUMNS.items())
    connection.execute(f"create database {DATABASE} precision 'ms' vgroups 4 wal_retention_period 3600")
    connection.execute(f"create table {DATABASE}.kinds (ts timestamp, {columns}) tags (place varchar(24), floor int)")
    kinds = f"{DATABASE}.kinds"
    connection.execute(f"create topic py_select as select tbname, ts, {NAMES}, place, floor from {kinds}")
    connection.execute(f"create topic py_where as select ts, i64, tbname from {kinds} where i32 is not null and floor < 4")
    connection.execute(f"create topic py_stable as stable {kinds}")
    connection.execute(f"create topic py_database as database {DATABASE}")
    connection.execute(f"create topic py_meta with meta as database {DATABASE}")
    values = ", ".join(literal for _, literal in COLUMNS.values())
    nulls = ", ".join("null" for _ in COLUMNS)
    for table in range(TABLES):
        tags = f"'Gdańsk 🐢', {table}" if table else "null, null"
        full, empty = FIRST + 1000 * table, FIRST + 1000 * table + 1
        connection.execute(
            f"insert into {DATABASE}.k{table} using {kinds} tags ({tags}) values ({full}, {values}) ({empty}, {nulls})"
        )


def expected_kinds(head, tail):
    """The rows of `kinds`, each a list: what head gives, its values, what tail gives."""
    return [
        [*head(table), *values, *tail(table)] for table in range(TABLES) for values in (FULL, NULLS)
    ]


def without_time(rows, place):
    """Rows in the order of their times, which are checked and left out."""
    rows = sorted(rows, key=lambda row: row[place])
    equal(
        [round(row[place].timestamp() * 1000) for row in rows],
        [FIRST + 1000 * table + n for table in range(TABLES) for n in (0, 1)],
    )
    return [row[:place] + row[place + 1 :] for row in rows]


@check
def reads_a_query_topic():
    """reads every type, NULLs, names and tags from a topic of a query"""
    reader = subscribed("select", "py_select")
    found = messages(reader, 2 * TABLES)
    equal({(message.topic(), message.database()) for message, _ in found}, {("py_select", DATABASE)})
    equal(len({message.vgroup() for message, _ in found}), 4)
    tags = lambda table: ["Gdańsk 🐢", table] if table else [None, None]
    rows = [row for _, read in found for row in read]
    equal(without_time(rows, 1), expected_kinds(lambda table: [f"k{table}"], tags))
    reader.close()


@check
def reads_a_filtered_topic():
    """reads only the rows that a topic's WHERE lets through"""
    reader = subscribed("where", "py_where")
    rows = drain(reader, 3)
    equal(sorted(row[2] for row in rows), ["k1", "k2", "k3"])
    equal({row[1] for row in rows}, {FULL[4]})
    reader.close()


@check
def reads_a_stable_topic():
    """reads the columns of a super table, without its tags, under their own names"""
    reader = subscribed("stable", "py_stable")
    found, deadline = [], time.monotonic() + PATIENCE
    while len(found) < 2 * TABLES and time.monotonic() < deadline:
        for block in reader.poll(0.5) or []:
            equal([field.name() for field in block.fields()], ["ts", *COLUMNS])
            equal((block.ncols(), block.nrows()), (1 + len(COLUMNS), len(block.fetchall())))
            found += [[plain(value) for value in row] for row in block]
    equal(without_time(found, 0), expected_kinds(lambda _: [], lambda _: []))
    silent(reader)
    reader.close()


@check
def reads_a_database_topic():
    """reads a database's topic, with and without what changed its tables"""
    for topic in ("py_database", "py_meta"):
        reader = subscribed("database", topic)
        equal(without_time(drain(reader, 2 * TABLES), 0), expected_kinds(lambda _: [], lambda _: []))
        reader.close()


@check
def reads_blobs():
    """reads BLOBs, and times in nanoseconds"""
    database, blobs = f"{DATABASE}_ns", f"{DATABASE}_ns.blobs"
    connection = connect()
    connection.execute(f"create database {database} precision 'ns' vgroups 1")
    connection.execute(f"create table {blobs} (ts timestamp, b blob)")
    connection.execute(f"create topic py_blobs as database {database}")
    first = 1_700_000_000_123_456_789
    values = [b"\x00\xff\x10", b"", None]
    connection.execute(f"insert into {blobs} values ({first}, '\\x00ff10') ({first + 1}, '') ({first + 2}, null)")
    reader = subscribed("blobs", "py_blobs")
    equal(drain(reader, 3), [[first + n, value] for n, value in enumerate(values)])
    reader.close()


@check
def reads_two_topics():
    """reads two topics at once"""
    topics = {name: numbers(name) for name in ("py_one", "py_other")}
    reader = consumer("two")
    reader.subscribe(list(topics))
    equal(sorted(reader.list_topics()), list(topics))
    found = {name: [] for name in topics}
    for message, rows in messages(reader, sum(map(len, topics.values()))):
        found[message.topic()] += rows
    equal({name: numbered(rows) for name, rows in found.items()}, topics)
    reader.close()


@check
def seeks_back():
    """lists four vgroups, seeks to their begin and reads all again"""
    expected = numbers("py_seek")
    reader = subscribed("seek", "py_seek")
    before = places(reader, "py_seek")
    equal(len(before), 4)
    equal(numbered(drain(reader, len(expected))), expected)
    for vgroup, place in places(reader, "py_seek").items():
        equal(place.begin(), before[vgroup].begin())
        equal(before[vgroup].begin() < reader.position("py_seek", vgroup) <= place.end(), True)
        reader.seek("py_seek", vgroup, place.begin())
    equal(numbered(drain(reader, len(expected))), expected)
    equal(reader.list_topics(), ["py_seek"])
    reader.close()


@check
def commits_offsets():
    """commits an offset of its own choice, and is told it"""
    expected = numbers("py_offsets")
    reader = subscribed("offsets", "py_offsets")
    equal(numbered(drain(reader, len(expected))), expected)
    for vgroup, place in places(reader, "py_offsets").items():
        for offset in (place.end(), place.begin()):
            reader.commit_offset("py_offsets", vgroup, offset)
            equal(reader.committed("py_offsets", vgroup), offset)
    reader.close()
    again = subscribed("offsets", "py_offsets")
    equal(numbered(drain(again, len(expected))), expected)
    again.close()


@check
def goes_on_after_a_commit():
    """commits messages; another consumer of the group goes on behind them"""
    expected = numbers("py_resume")
    first = subscribed("resume", "py_resume")
    taken = []
    for message in itertools.islice(iter(lambda: first.poll(PATIENCE), None), 2):
        taken += rows_of(message)
        # A message that was committed no longer tells where it came from.
        vgroup = message.vgroup()
        first.commit(message)
        equal(first.committed("py_resume", vgroup), first.position("py_resume", vgroup))
    first.close()
    second = subscribed("resume", "py_resume")
    rest = drain(second, len(expected) - len(taken))
    equal(bool(taken) and bool(rest), True)
    equal(numbered(taken + rest), expected)
    second.unsubscribe()
    other = subscribed("resume_other", "py_resume")
    equal(numbered(drain(other, len(expected))), expected)
    other.close()


@check
def commits_by_itself():
    """commits by itself what it has polled past, when asked to"""
    expected = numbers("py_auto")
    automatic = {"enable_auto_commit": "true", "auto_commit_interval_ms": "1"}
    reader = subscribed("auto", "py_auto", **automatic)
    equal(numbered(drain(reader, len(expected))), expected)

    def committed():
        reader.poll(0.01)
        vgroups = list(places(reader, "py_auto"))
        told = [(reader.committed("py_auto", vgroup), reader.position("py_auto", vgroup)) for vgroup in vgroups]
        return all(done == position for done, position in told)

    equal(eventually(committed), True)
    reader.close()
    more = write(connect(), "py_auto", 3, range(50, 53))
    second = subscribed("auto", "py_auto", **automatic)
    equal(numbered(drain(second, len(more))), more)
    second.close()


@check
def starts_at_latest():
    """sees only what is written after it came, when it starts at latest"""
    numbers("py_latest")
    reader = subscribed("latest", "py_latest", auto_offset_reset="latest")
    silent(reader)
    more = write(connect(), "py_latest", 1, range(60, 63)) + write(connect(), "py_latest", 6, range(60, 62))
    equal(numbered(drain(reader, len(more))), more)
    reader.close()


@check
def two_share_the_vgroups():
    """shares four vgroups with another consumer of its group, two each, and takes over when that one goes"""
    expected = numbers("py_shared")
    readers = one, two = [subscribed("shared", "py_shared") for _ in range(2)]
    seen = {}

    def read_a_little():
        for reader in readers:
            message = reader.poll(0.05)
            seen.update({row[2]: row for row in (rows_of(message) if message else [])})

    def halves():
        read_a_little()
        one_has, two_has = [set(places(reader, "py_shared")) for reader in readers]
        return (len(one_has), len(two_has), len(one_has | two_has)) == (2, 2, 4)

    equal(eventually(halves), True)
    equal(eventually(lambda: read_a_little() or len(seen) == len(expected)), True)
    equal(numbered(seen.values()), expected)
    two.close()
    equal(eventually(lambda: one.poll(0.05) is None and len(places(one, "py_shared")) == 4), True)
    one.close()


@check
def a_topic_in_use_stays():
    """keeps a topic from being dropped until it unsubscribes"""
    numbers("py_dropped")
    connection = connect()
    reader = subscribed("dropped", "py_dropped")
    equal(reader.poll(PATIENCE) is None, False)
    raises(Exception, ["3eb"], connection.execute, "drop topic py_dropped")
    reader.unsubscribe()

    def dropped():
        try:
            connection.execute("drop topic py_dropped")
        except Exception as refusal:
            if "3eb" not in str(refusal).lower():
                raise
            return False
        return True

    equal(eventually(dropped), True)
    raises(Exception, ["3e1"], subscribed, "dropped", "py_dropped")


@check
def an_unknown_topic_is_refused():
    """is told of a topic that is not there, and can subscribe to another"""
    expected = numbers("py_known")
    reader = consumer("unknown")
    raises(Exception, ["3e1"], reader.subscribe, ["no_such_topic"])
    reader.subscribe(["py_known"])
    equal(numbered(drain(reader, len(expected))), expected)
    reader.close()


@check
def a_wrong_password_is_refused():
    """is refused with a wrong password"""
    raises(Exception, ["init tscobj failed"], lambda: subscribed("login", "py_select", td_connect_pass="wrong"))


main("taos-ws-py consumer")
