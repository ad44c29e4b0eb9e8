import java.sql.Blob;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** Checks of the published Java driver against the server at TAOS_ADDRESS; each prints one line, `ok …` or `FAILED …`. */
public final class Judge {
    static final String ADDRESS = System.getenv().getOrDefault("TAOS_ADDRESS", "127.0.0.1:6041");
    private static boolean failed;

    private Judge() {}

    interface Body {
        void run() throws Exception;
    }

    static void check(String client, String name, Body body) {
        try {
            body.run();
            System.out.println("ok " + client + ": " + name);
        } catch (Exception | AssertionError reason) {
            failed = true;
            System.out.println("FAILED " + client + ": " + name);
            reason.printStackTrace(System.out);
        }
    }

    /** Compares texts, so that arrays compare by what is in them and 1 is not 1.0. */
    static void equal(Object got, Object expected) {
        if (!Objects.equals(show(got), show(expected))) {
            throw new AssertionError("expected " + show(expected) + "\n     got " + show(got));
        }
    }

    private static String show(Object value) {
        if (value instanceof byte[] bytes) {
            return "bytes" + Arrays.toString(bytes);
        }
        if (value instanceof List<?> list) {
            return list.stream().map(Judge::show).toList().toString();
        }
        return value == null ? "null" : value.getClass().getSimpleName() + " " + value;
    }

    /** The driver puts its own digits above the server's sixteen bits. */
    static void refused(int code, String text, Body body) throws Exception {
        try {
            body.run();
        } catch (SQLException refusal) {
            equal(refusal.getErrorCode() & 0xffff, code);
            if (!refusal.getMessage().contains(text)) {
                throw new AssertionError("the error lacks \"" + text + "\": " + refusal.getMessage());
            }
            return;
        }
        throw new AssertionError("it was not refused");
    }

    /** A connection of `TAOS-WS` or `TAOS-RS`; `rest` is a database and options, `name?key=value&…`. */
    static Connection connect(String scheme, String rest) throws SQLException {
        String separator = rest.contains("?") ? "&" : "?";
        return DriverManager.getConnection(
                "jdbc:" + scheme + "://" + ADDRESS + "/" + rest + separator + "user=root&password=taosdata");
    }

    static int execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return statement.executeUpdate(sql);
        }
    }

    static List<List<Object>> rows(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            return rows(result);
        }
    }

    static List<List<Object>> rows(ResultSet result) throws SQLException {
        List<List<Object>> all = new ArrayList<>();
        while (result.next()) {
            List<Object> row = new ArrayList<>();
            for (int column = 1; column <= result.getMetaData().getColumnCount(); column++) {
                Object value = result.getObject(column);
                row.add(value instanceof Blob ? result.getBytes(column) : value);
            }
            all.add(row);
        }
        return all;
    }

    /** A list that may hold nulls. */
    static List<Object> row(Object... values) {
        return Arrays.asList(values);
    }

    /** A time of the tests: so many milliseconds after their first. */
    static Timestamp at(long milliseconds) {
        return new Timestamp(1_700_000_000_000L + milliseconds);
    }

    public static void main(String[] arguments) {
        WebSocket.checks();
        Rest.checks();
        Prepared.checks();
        Schemaless.checks();
        Consumers.checks();
        // The driver leaves threads behind that would keep the program alive.
        System.exit(failed ? 1 : 0);
    }
}
