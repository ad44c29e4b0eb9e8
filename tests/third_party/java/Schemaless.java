import com.taosdata.jdbc.AbstractConnection;
import com.taosdata.jdbc.enums.SchemalessProtocolType;
import com.taosdata.jdbc.enums.SchemalessTimestampType;
import java.sql.Connection;
import java.util.List;

/** Schemaless writes over `jdbc:TAOS-WS`. */
final class Schemaless {
    private static final String CLIENT = "taos-jdbcdriver schemaless";
    private static final String DATABASE = "judge_java_lines";

    private Schemaless() {}

    static void checks() {
        Judge.check(CLIENT, "writes lines, whose names and types make the tables", () -> {
            try (Connection connection = Judge.connect("TAOS-WS", "")) {
                Judge.execute(connection, "create database " + DATABASE + " precision 'ms'");
            }
            try (AbstractConnection connection = connect()) {
                String[] lines = {
                    "meters,room=hall,site=Łódź current=10.5f64,ok=t,n=-7i32,u=255u8,name=L\"żółw\",text=\"plain words\" 1700000000000",
                    "meters,room=attic current=12,late=1i64 1700000002000",
                };
                connection.write(lines, SchemalessProtocolType.LINE, SchemalessTimestampType.MILLI_SECONDS);
                Judge.equal(
                        Judge.rows(connection, "select * from meters order by _ts"),
                        List.of(
                                Judge.row(Judge.at(0), 10.5, true, -7, (short) 255, "żółw", "plain words", null, "hall", "Łódź"),
                                Judge.row(Judge.at(2000), 12.0, null, null, null, null, null, 1L, "attic", null)));
            }
        });
        Judge.check(CLIENT, "writes several lines in one message", () -> {
            try (AbstractConnection connection = connect()) {
                String lines = "meters,room=hall,site=Łódź current=13 1700000003000\nmeters,room=hall,site=Łódź current=14 1700000004000";
                connection.writeRaw(lines, SchemalessProtocolType.LINE, SchemalessTimestampType.MILLI_SECONDS);
                Judge.equal(Judge.rows(connection, "select count(*) from meters"), List.of(List.of(4L)));
            }
        });
        Judge.check(CLIENT, "writes telnet lines", () -> {
            try (AbstractConnection connection = connect()) {
                String[] lines = {"cpu.load 1700000000 0.5 node=a", "cpu.load 1700000001 0.75 node=b"};
                connection.write(lines, SchemalessProtocolType.TELNET, SchemalessTimestampType.SECONDS);
                Judge.equal(
                        Judge.rows(connection, "select _ts, _value, node from cpu_load order by _ts"),
                        List.of(Judge.row(Judge.at(0), 0.5, "a"), Judge.row(Judge.at(1000), 0.75, "b")));
            }
        });
        Judge.check(CLIENT, "writes JSON", () -> {
            try (AbstractConnection connection = connect()) {
                String point = "{\"metric\":\"temp\",\"timestamp\":1700000000000,\"value\":21.5,\"tags\":{\"room\":\"hall\",\"floor\":2}}";
                connection.write(point, SchemalessProtocolType.JSON, SchemalessTimestampType.MILLI_SECONDS);
                Judge.equal(
                        Judge.rows(connection, "select _ts, _value, room, floor from temp"),
                        List.of(Judge.row(Judge.at(0), 21.5, "hall", 2.0)));
            }
        });
        Judge.check(CLIENT, "is told of a bad line, and goes on", () -> {
            try (AbstractConnection connection = connect()) {
                // The driver has the code only in its text.
                Judge.refused(0, "0x3002:SML line invalid data: line", () -> connection.write(
                        "not a line", SchemalessProtocolType.LINE, SchemalessTimestampType.MILLI_SECONDS));
                Judge.equal(Judge.rows(connection, "select 1"), List.of(List.of(1L)));
            }
        });
    }

    private static AbstractConnection connect() throws Exception {
        return (AbstractConnection) Judge.connect("TAOS-WS", DATABASE + "?varcharAsString=true");
    }
}
