import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.List;

/** SQL over `jdbc:TAOS-WS`. */
final class WebSocket {
    private static final String CLIENT = "taos-jdbcdriver TAOS-WS";
    private static final int MANY = 10_000;

    private WebSocket() {}

    static Connection connect(String rest) throws Exception {
        return Judge.connect("TAOS-WS", rest);
    }

    static void checks() {
        Judge.check(CLIENT, "connects, and reads the version", () -> {
            try (Connection connection = connect("")) {
                Judge.equal(connection.isValid(5), true);
                DatabaseMetaData about = connection.getMetaData();
                Judge.equal(about.getDatabaseProductVersion().split("\\.")[0], "3");
            }
        });
        Judge.check(CLIENT, "creates a super table of every type and inserts into it", () -> {
            try (Connection connection = connect("")) {
                List<Integer> affected = new ArrayList<>();
                for (String sql : Kinds.setup("judge_java_ws")) {
                    affected.add(Judge.execute(connection, sql));
                }
                Judge.equal(affected, List.of(0, 0, 0, 1, 1, 1));
            }
        });
        Judge.check(CLIENT, "reads every type and NULLs of every type", () -> {
            try (Connection connection = connect("judge_java_ws?varcharAsString=true")) {
                Judge.equal(
                        Judge.rows(connection, "select * from d1 order by ts"),
                        List.of(Kinds.full(Kinds.ALL, 0), Kinds.nulls(Kinds.ALL, 1000)));
            }
        });
        Judge.check(CLIENT, "learns the columns' names, types and sizes", WebSocket::metadata);
        Judge.check(CLIENT, "reads tags and table names", () -> {
            try (Connection connection = connect("judge_java_ws?varcharAsString=true")) {
                String sql = "select tbname, place, floor from kinds where i32 is not null order by ts";
                Judge.equal(
                        Judge.rows(connection, sql),
                        List.of(Judge.row("d1", "Gdańsk", 3), Judge.row("d2", null, null)));
            }
        });
        Judge.check(CLIENT, "lists the tables of a database", () -> {
            try (Connection connection = connect("judge_java_ws");
                    ResultSet tables = connection.getMetaData().getTables("judge_java_ws", null, "d%", new String[] {"TABLE"})) {
                List<String> names = new ArrayList<>();
                while (tables.next()) {
                    names.add(tables.getString("TABLE_NAME"));
                }
                names.sort(null);
                Judge.equal(names, List.of("d1", "d2"));
            }
        });
        Judge.check(CLIENT, "reads JSON tags", () -> {
            try (Connection connection = connect("judge_java_ws")) {
                Judge.execute(connection, "create table places (ts timestamp, n int) tags (info json)");
                Judge.execute(connection, "insert into p1 using places tags ('{\"city\":\"Łódź\"}') values (1700000000000, 1)");
                try (Statement statement = connection.createStatement();
                        ResultSet result = statement.executeQuery("select info from places")) {
                    Judge.equal(result.next(), true);
                    Judge.equal(result.getString(1), "{\"city\":\"Łódź\"}");
                }
            }
        });
        Judge.check(CLIENT, "reads BLOBs", () -> {
            try (Connection connection = connect("judge_java_ws")) {
                Judge.execute(connection, "create table blobs (ts timestamp, b blob)");
                Judge.execute(connection,
                        "insert into blobs values (1700000000000, '\\x00ff10') (1700000000001, '') (1700000000002, null)");
                List<List<Object>> rows = Judge.rows(connection, "select b from blobs order by ts");
                Judge.equal(rows, List.of(List.of(new byte[] {0, (byte) 0xff, 0x10}), List.of(new byte[0]), Judge.row((Object) null)));
            }
        });
        Judge.check(CLIENT, "writes times in a zone", () -> {
            try (Connection connection = connect("judge_java_ws?timezone=Asia/Tokyo")) {
                Judge.execute(connection, "create table zoned (ts timestamp, n int)");
                Judge.execute(connection, "insert into zoned values ('2023-11-15 07:13:20', 1)");
                Judge.equal(Judge.rows(connection, "select cast(ts as bigint) from zoned"), List.of(List.of(1_700_000_000_000L)));
            }
        });
        Judge.check(CLIENT, "reads times of each precision", WebSocket::precisions);
        Judge.check(CLIENT, "reads ten thousand rows in several blocks, with compression on offer too", WebSocket::blocks);
        Judge.check(CLIENT, "closes a result before its end and goes on", () -> {
            try (Connection connection = connect("judge_java_ws")) {
                for (int i = 0; i < 3; i++) {
                    try (Statement statement = connection.createStatement();
                            ResultSet result = statement.executeQuery("select n from many order by ts")) {
                        Judge.equal(result.next(), true);
                    }
                }
                Judge.equal(Judge.rows(connection, "select count(*) from many"), List.of(List.of((long) MANY)));
            }
        });
        Judge.check(CLIENT, "gets the server's codes and texts for what is wrong", () -> {
            try (Connection connection = connect("judge_java_ws")) {
                Judge.refused(0x2603, "Table does not exist", () -> Judge.rows(connection, "select * from nowhere"));
                Judge.refused(0x2600, "syntax error near \"selec 1\"", () -> Judge.rows(connection, "selec 1"));
                Judge.equal(Judge.rows(connection, "select 1"), List.of(List.of(1L)));
            }
        });
        Judge.check(CLIENT, "is refused with a wrong password, and with a database that is not there", () -> {
            String wrong = "jdbc:TAOS-WS://" + Judge.ADDRESS + "/?user=root&password=wrong";
            // While connecting the driver passes on the text without the code.
            Judge.refused(0, "Authentication failure", () -> DriverManager.getConnection(wrong));
            Judge.refused(0, "Database not exist", () -> connect("no_such_database"));
        });
    }

    private static void metadata() throws Exception {
        try (Connection connection = connect("judge_java_ws");
                Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("select tbname, vc, nc, d64, place as place_of from d1")) {
            ResultSetMetaData about = result.getMetaData();
            List<Object> seen = new ArrayList<>();
            for (int column = 1; column <= about.getColumnCount(); column++) {
                seen.add(Judge.row(about.getColumnLabel(column), about.getColumnTypeName(column),
                        about.getPrecision(column), about.getScale(column)));
            }
            Judge.equal(seen, List.of(
                    Judge.row("tbname", "BINARY", 270, 0), Judge.row("vc", "BINARY", 32, 0),
                    Judge.row("nc", "NCHAR", 32, 0), Judge.row("d64", "DECIMAL", 10, 2),
                    Judge.row("place_of", "BINARY", 24, 0)));
        }
    }

    private static void precisions() throws Exception {
        try (Connection connection = connect("")) {
            Judge.execute(connection, "create database judge_java_us precision 'us'");
            Judge.execute(connection, "create table judge_java_us.t (ts timestamp, n int)");
            Judge.execute(connection, "insert into judge_java_us.t values (1700000000123456, 1)");
            Timestamp micros = new Timestamp(1_700_000_000_000L);
            micros.setNanos(123_456_000);
            Judge.equal(Judge.rows(connection, "select ts from judge_java_us.t"), List.of(List.of(micros)));
            Judge.execute(connection, "create database judge_java_ns precision 'ns'");
            Judge.execute(connection, "create table judge_java_ns.t (ts timestamp, n int)");
            Judge.execute(connection, "insert into judge_java_ns.t values (1700000000123456789, 1)");
            Timestamp nanos = new Timestamp(1_700_000_000_000L);
            nanos.setNanos(123_456_789);
            Judge.equal(Judge.rows(connection, "select ts from judge_java_ns.t"), List.of(List.of(nanos)));
        }
    }

    private static void blocks() throws Exception {
        try (Connection connection = connect("judge_java_ws")) {
            Judge.execute(connection, "create table many (ts timestamp, n int)");
            for (int start = 0; start < MANY; start += 1000) {
                StringBuilder sql = new StringBuilder("insert into many values");
                for (int n = start; n < start + 1000; n++) {
                    sql.append(" (").append(1_700_000_000_000L + n).append(", ").append(n).append(')');
                }
                Judge.equal(Judge.execute(connection, sql.toString()), 1000);
            }
        }
        for (String options : List.of("", "?enableCompression=true")) {
            try (Connection connection = connect("judge_java_ws" + options)) {
                List<List<Object>> rows = Judge.rows(connection, "select n from many order by ts");
                Judge.equal(rows.size(), MANY);
                for (int n = 0; n < MANY; n++) {
                    Judge.equal(rows.get(n).get(0), n);
                }
            }
        }
    }
}
