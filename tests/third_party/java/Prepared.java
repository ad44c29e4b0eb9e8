import com.taosdata.jdbc.TaosPrepareStatement;
import java.math.BigInteger;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Prepared statements over `jdbc:TAOS-WS`; they go by the second generation of messages. */
final class Prepared {
    private static final String CLIENT = "taos-jdbcdriver prepared";
    private static final String DATABASE = "judge_java_stmt";
    private static final int MANY = 10_000;
    private static final String MARKS = String.join(", ", Collections.nCopies(Kinds.BOUND.size() + 1, "?"));

    private Prepared() {}

    static void checks() {
        Judge.check(CLIENT, "creates tables of the types that can be bound", () -> {
            try (Connection connection = Judge.connect("TAOS-WS", "")) {
                Judge.execute(connection, "create database " + DATABASE + " precision 'ms'");
                String columns = "(ts timestamp, " + Kinds.declarations(Kinds.BOUND) + ")";
                Judge.execute(connection, "create table " + DATABASE + ".plain " + columns);
                Judge.execute(connection, "create table " + DATABASE + ".kinds " + columns + " tags (place varchar(24), floor int)");
                Judge.execute(connection, "create table " + DATABASE + ".many (ts timestamp, n int)");
            }
        });
        Judge.check(CLIENT, "binds every type and NULLs of every type to a plain table", Prepared::plain);
        Judge.check(CLIENT, "binds tables with their tags, row by row", Prepared::tables);
        Judge.check(CLIENT, "binds rows of several tables by their name as a column", Prepared::byName);
        Judge.check(CLIENT, "binds whole columns of several tables in one message", Prepared::columns);
        Judge.check(CLIENT, "binds times in nanoseconds", Prepared::nanoseconds);
        Judge.check(CLIENT, "binds a JSON tag", Prepared::jsonTag);
        Judge.check(CLIENT, "binds row by row in another form, when told to", () -> Prepared.mode("pbsMode=line", "line"));
        Judge.check(CLIENT, "binds from threads of its own, when told to", () -> Prepared.mode("asyncWrite=STMT", "async"));
        Judge.check(CLIENT, "executes one statement again and again, with compression on offer", Prepared::again);
        Judge.check(CLIENT, "queries with parameters, and reads several blocks", Prepared::query);
        Judge.check(CLIENT, "is told of a table that is not there, and goes on", () -> {
            try (Connection connection = connect()) {
                // The driver has the code only in its text.
                Judge.refused(0, "(0x22b):Table does not exist", () -> {
                    try (PreparedStatement insert = connection.prepareStatement("insert into nowhere values (?, ?)")) {
                        insert.setTimestamp(1, Judge.at(0));
                        insert.setInt(2, 1);
                        insert.addBatch();
                        insert.executeBatch();
                    }
                });
                Judge.equal(Judge.rows(connection, "select 1"), List.of(List.of(1L)));
            }
        });
    }

    private static Connection connect() throws Exception {
        return Judge.connect("TAOS-WS", DATABASE + "?varcharAsString=true");
    }

    private static void plain() throws Exception {
        try (Connection connection = connect()) {
            try (PreparedStatement insert = connection.prepareStatement("insert into plain values (" + MARKS + ")")) {
                full(insert, 1, 0);
                nulls(insert, 1, 1000);
                Judge.equal(insert.executeBatch().length, 2);
            }
            Judge.equal(
                    Judge.rows(connection, "select * from plain order by ts"),
                    List.of(Kinds.full(Kinds.BOUND, 0), Kinds.nulls(Kinds.BOUND, 1000)));
        }
    }

    private static void tables() throws Exception {
        try (Connection connection = connect()) {
            String sql = "insert into ? using kinds tags (?, ?) values (" + MARKS + ")";
            try (TaosPrepareStatement insert = (TaosPrepareStatement) connection.prepareStatement(sql)) {
                insert.setTableName("d1");
                insert.setTagString(0, "Gdańsk");
                insert.setTagInt(1, 3);
                full(insert, 1, 0);
                nulls(insert, 1, 1000);
                insert.executeBatch();
                insert.setTableName("d2");
                insert.setTagNull(0, 8);
                insert.setTagNull(1, 4);
                full(insert, 1, 2000);
                insert.executeBatch();
            }
            Judge.equal(
                    Judge.rows(connection, "select ts, " + Kinds.list(Kinds.BOUND, Kinds::name) + " from kinds order by ts"),
                    List.of(Kinds.full(Kinds.BOUND, 0), Kinds.nulls(Kinds.BOUND, 1000), Kinds.full(Kinds.BOUND, 2000)));
            Judge.equal(
                    Judge.rows(connection, "select tbname, place, floor from kinds where i32 is not null order by ts"),
                    List.of(Judge.row("d1", "Gdańsk", 3), Judge.row("d2", null, null)));
        }
    }

    private static void byName() throws Exception {
        try (Connection connection = connect()) {
            String sql = "insert into kinds (tbname, place, floor, ts, i32, nc) values (?, ?, ?, ?, ?, ?)";
            try (PreparedStatement insert = connection.prepareStatement(sql)) {
                for (int n = 0; n < 6; n++) {
                    insert.setString(1, n % 2 == 0 ? "s0" : "s1");
                    insert.setString(2, "place" + n % 2);
                    insert.setInt(3, n % 2);
                    insert.setTimestamp(4, Judge.at(100_000 + n));
                    insert.setInt(5, n);
                    insert.setNString(6, "żółw" + n);
                    insert.addBatch();
                }
                insert.executeBatch();
            }
            List<Object> expected = new ArrayList<>();
            for (int n = 0; n < 6; n++) {
                expected.add(Judge.row("s" + n % 2, "place" + n % 2, n % 2, n, "żółw" + n));
            }
            Judge.equal(
                    Judge.rows(connection, "select tbname, place, floor, i32, nc from kinds where ts >= 1700000100000 order by ts"),
                    expected);
        }
    }

    private static void columns() throws Exception {
        try (Connection connection = connect()) {
            String sql = "insert into ? using kinds tags (?, ?) (ts, i32, vc) values (?, ?, ?)";
            try (TaosPrepareStatement insert = (TaosPrepareStatement) connection.prepareStatement(sql)) {
                for (int table = 0; table < 2; table++) {
                    insert.setTableName("c" + table);
                    insert.setTagString(0, "place" + table);
                    insert.setTagInt(1, table);
                    long first = Judge.at(200_000 + 10 * table).getTime();
                    insert.setTimestamp(0, List.of(first, first + 1, first + 2));
                    insert.setInt(1, Arrays.asList(table, null, -table));
                    insert.setString(2, Arrays.asList("a", "", null), 32);
                    insert.columnDataAddBatch();
                }
                insert.columnDataExecuteBatch();
            }
            Judge.equal(
                    Judge.rows(connection, "select tbname, floor, i32, vc from kinds where ts >= 1700000200000 order by ts"),
                    List.of(
                            Judge.row("c0", 0, 0, "a"), Judge.row("c0", 0, null, ""), Judge.row("c0", 0, 0, null),
                            Judge.row("c1", 1, 1, "a"), Judge.row("c1", 1, null, ""), Judge.row("c1", 1, -1, null)));
        }
    }

    private static void nanoseconds() throws Exception {
        try (Connection connection = connect()) {
            Judge.execute(connection, "create database judge_java_stmt_ns precision 'ns'");
            Judge.execute(connection, "create table judge_java_stmt_ns.t (ts timestamp, n int)");
            Timestamp moment = Judge.at(0);
            moment.setNanos(123_456_789);
            String sql = "insert into judge_java_stmt_ns.t values (?, ?)";
            try (PreparedStatement insert = connection.prepareStatement(sql)) {
                insert.setTimestamp(1, moment);
                insert.setInt(2, 1);
                insert.addBatch();
                insert.executeBatch();
            }
            Judge.equal(Judge.rows(connection, "select * from judge_java_stmt_ns.t"), List.of(Judge.row(moment, 1)));
        }
    }

    private static void jsonTag() throws Exception {
        try (Connection connection = connect()) {
            Judge.execute(connection, "create table places (ts timestamp, n int) tags (info json)");
            String sql = "insert into ? using places tags (?) values (?, ?)";
            try (TaosPrepareStatement insert = (TaosPrepareStatement) connection.prepareStatement(sql)) {
                insert.setTableName("p1");
                insert.setTagJson(0, "{\"city\":\"Łódź\"}");
                insert.setTimestamp(1, Judge.at(0));
                insert.setInt(2, 1);
                insert.addBatch();
                insert.executeBatch();
            }
            Judge.equal(
                    Judge.rows(connection, "select n from places where info->'city' = 'Łódź'"), List.of(List.of(1)));
        }
    }

    /** A driver's mode for rows that name their table. */
    private static void mode(String option, String prefix) throws Exception {
        try (Connection connection = Judge.connect("TAOS-WS", DATABASE + "?varcharAsString=true&" + option)) {
            String sql = "insert into kinds (tbname, place, floor, ts, i32) values (?, ?, ?, ?, ?)";
            try (PreparedStatement insert = connection.prepareStatement(sql)) {
                for (int n = 0; n < 100; n++) {
                    insert.setString(1, prefix + n % 5);
                    insert.setString(2, prefix);
                    insert.setInt(3, n % 5);
                    insert.setTimestamp(4, Judge.at(300_000 + n));
                    insert.setInt(5, n);
                    insert.addBatch();
                }
                insert.executeBatch();
                if (option.startsWith("asyncWrite")) {
                    // Waits until the threads have written everything.
                    insert.executeUpdate();
                }
            }
            Judge.equal(
                    Judge.rows(connection, "select count(*), sum(i32), sum(floor) from kinds where place = '" + prefix + "'"),
                    List.of(List.of(100L, 4950L, 200L)));
        }
    }

    private static void again() throws Exception {
        try (Connection connection = Judge.connect("TAOS-WS", DATABASE + "?enableCompression=true")) {
            try (PreparedStatement insert = connection.prepareStatement("insert into many values (?, ?)")) {
                for (int start = 0; start < MANY; start += 2500) {
                    for (int n = start; n < start + 2500; n++) {
                        insert.setTimestamp(1, Judge.at(n));
                        insert.setInt(2, n);
                        insert.addBatch();
                    }
                    Judge.equal(insert.executeBatch().length, 2500);
                }
            }
            Judge.equal(
                    Judge.rows(connection, "select count(*), sum(n) from many"),
                    List.of(List.of((long) MANY, (long) MANY * (MANY - 1) / 2)));
        }
    }

    private static void query() throws Exception {
        try (Connection connection = connect()) {
            try (PreparedStatement query = connection.prepareStatement("select n from many where n >= ? order by ts")) {
                for (int from : new int[] {9_998, 100, MANY}) {
                    query.setInt(1, from);
                    try (ResultSet result = query.executeQuery()) {
                        List<List<Object>> rows = Judge.rows(result);
                        Judge.equal(rows.size(), MANY - from);
                        for (int n = from; n < MANY; n++) {
                            Judge.equal(rows.get(n - from).get(0), n);
                        }
                    }
                }
            }
            try (PreparedStatement query = connection.prepareStatement("select i32 from kinds where nc = ? and ts > ?")) {
                query.setString(1, "żółw3");
                query.setTimestamp(2, Judge.at(0));
                try (ResultSet result = query.executeQuery()) {
                    Judge.equal(Judge.rows(result), List.of(List.of(3)));
                }
            }
        }
    }

    private static void full(PreparedStatement insert, int first, long milliseconds) throws Exception {
        insert.setTimestamp(first, Judge.at(milliseconds));
        insert.setBoolean(first + 1, true);
        insert.setByte(first + 2, (byte) -128);
        insert.setShort(first + 3, (short) -32768);
        insert.setInt(first + 4, -2147483648);
        insert.setLong(first + 5, -9223372036854775807L);
        insert.setShort(first + 6, (short) 255);
        insert.setInt(first + 7, 65535);
        insert.setLong(first + 8, 4294967295L);
        insert.setObject(first + 9, new BigInteger("18446744073709551615"));
        insert.setFloat(first + 10, 1.5f);
        insert.setDouble(first + 11, 2.25);
        insert.setString(first + 12, "plain \"text\"");
        insert.setNString(first + 13, "żółw 🐢");
        insert.setBytes(first + 14, new byte[] {0, (byte) 0xff, 0x10});
        insert.setBytes(first + 15, Kinds.POINT);
        insert.addBatch();
    }

    private static void nulls(PreparedStatement insert, int first, long milliseconds) throws Exception {
        int[] types = {
            Types.BOOLEAN, Types.TINYINT, Types.SMALLINT, Types.INTEGER, Types.BIGINT, Types.SMALLINT, Types.INTEGER,
            Types.BIGINT, Types.BIGINT, Types.FLOAT, Types.DOUBLE, Types.VARCHAR, Types.NCHAR, Types.VARBINARY, Types.BINARY,
        };
        insert.setTimestamp(first, Judge.at(milliseconds));
        for (int column = 0; column < types.length; column++) {
            insert.setNull(first + 1 + column, types[column]);
        }
        insert.addBatch();
    }
}
