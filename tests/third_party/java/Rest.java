import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** SQL over `jdbc:TAOS-RS`, which is REST. */
final class Rest {
    private static final String CLIENT = "taos-jdbcdriver TAOS-RS";

    private Rest() {}

    static void checks() {
        Judge.check(CLIENT, "creates a super table of every type and inserts into it", () -> {
            try (Connection connection = Judge.connect("TAOS-RS", "")) {
                List<Integer> affected = new ArrayList<>();
                for (String sql : Kinds.setup("judge_java_rs")) {
                    affected.add(Judge.execute(connection, sql));
                }
                Judge.equal(affected, List.of(0, 0, 0, 1, 1, 1));
            }
        });
        Judge.check(CLIENT, "reads every type and NULLs of every type", Rest::types);
        Judge.check(CLIENT, "reads ten thousand rows in order", () -> {
            try (Connection connection = Judge.connect("TAOS-RS", "judge_java_ws")) {
                List<Object> expected = new ArrayList<>();
                for (int n = 0; n < 10_000; n++) {
                    expected.add(List.of(n));
                }
                Judge.equal(Judge.rows(connection, "select n from many order by ts"), expected);
            }
        });
        Judge.check(CLIENT, "gets the server's codes and texts for what is wrong", () -> {
            try (Connection connection = Judge.connect("TAOS-RS", "judge_java_rs")) {
                Judge.refused(0x2603, "Table does not exist", () -> Judge.rows(connection, "select * from nowhere"));
                Judge.refused(0x2600, "syntax error near \"selec 1\"", () -> Judge.rows(connection, "selec 1"));
            }
        });
        Judge.check(CLIENT, "is refused with a wrong password, and with a database that is not there", () -> {
            String wrong = "jdbc:TAOS-RS://" + Judge.ADDRESS + "/?user=root&password=wrong";
            Judge.refused(0x357, "Authentication failure", () -> {
                try (Connection connection = DriverManager.getConnection(wrong)) {
                    Judge.rows(connection, "select 1");
                }
            });
            Judge.refused(0x388, "Database not exist", () -> {
                try (Connection connection = Judge.connect("TAOS-RS", "no_such_database")) {
                    Judge.rows(connection, "show tables");
                }
            });
        });
    }

    /** The driver hands out some types as nodes of its JSON reader, and cannot read decimals. */
    private static void types() throws Exception {
        List<Kinds> objects = new ArrayList<>(Kinds.ALL.subList(0, 5));
        objects.addAll(Kinds.ALL.subList(9, 13));
        try (Connection connection = Judge.connect("TAOS-RS", "judge_java_rs?varcharAsString=true")) {
            String sql = "select ts, " + Kinds.list(objects, Kinds::name) + " from d1 order by ts";
            Judge.equal(Judge.rows(connection, sql), List.of(Kinds.full(objects, 0), Kinds.nulls(objects, 1000)));
            String texts = "select u8, u16, u32, u64, vb, geo, cast(d64 as varchar(40)), cast(d128 as varchar(40)) from d1 order by ts";
            try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(texts)) {
                String[] expected = {
                    "255", "65535", "4294967295", "18446744073709551615", "\"00ff10\"",
                    "\"0101000000000000000000f03f0000000000000040\"", "123.45", "12345678901234567890.123456",
                };
                Judge.equal(result.next(), true);
                for (int column = 1; column <= expected.length; column++) {
                    Judge.equal(result.getString(column), expected[column - 1]);
                }
                Judge.equal(result.next(), true);
                for (int column = 1; column <= expected.length; column++) {
                    Judge.equal(result.getString(column), null);
                }
                Judge.equal(result.next(), false);
            }
        }
    }
}
