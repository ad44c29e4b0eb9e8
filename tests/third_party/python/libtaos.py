"""What the scripts of taospy in its native form share."""
from decimal import Decimal

import taos

from checks import ADDRESS, FULL

HOST, PORT = ADDRESS.rsplit(":", 1)
FIRST = 1_700_000_000_000
MANY = 10_000
# How long to wait for what must come.
PATIENCE = 30
# A value of every type that a table can have.
EVERY = [*FULL, Decimal("123.45"), Decimal("12345678901234567890.123456")]


def connect(database=None, **more):
    return taos.connect(host=HOST, port=int(PORT), user="root", password="taosdata", database=database, **more)


def rows(connection, sql):
    return [list(row) for row in connection.query(sql).fetch_all()]
