import com.taosdata.jdbc.tmq.ConsumerRecord;
import com.taosdata.jdbc.tmq.Deserializer;
import com.taosdata.jdbc.tmq.MapEnhanceDeserializer;
import com.taosdata.jdbc.tmq.OffsetAndMetadata;
import com.taosdata.jdbc.tmq.TMQEnhMap;
import com.taosdata.jdbc.tmq.TaosConsumer;
import com.taosdata.jdbc.tmq.TopicPartition;
import com.taosdata.jdbc.ws.tmq.meta.ChildTableInfo;
import com.taosdata.jdbc.ws.tmq.meta.Meta;
import com.taosdata.jdbc.ws.tmq.meta.MetaAlterTable;
import com.taosdata.jdbc.ws.tmq.meta.MetaCreateChildTable;
import com.taosdata.jdbc.ws.tmq.meta.MetaCreateSuperTable;
import com.taosdata.jdbc.ws.tmq.meta.MetaDeleteData;
import com.taosdata.jdbc.ws.tmq.meta.MetaDropTable;
import com.taosdata.jdbc.ws.tmq.meta.Tag;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.IntFunction;

/** Subscriptions over WebSocket. */
final class Consumers {
    private static final String CLIENT = "taos-jdbcdriver TaosConsumer";
    private static final String DATABASE = "judge_java_tmq";
    // Enough of them that each of the four vgroups has some.
    private static final int TABLES = 8;
    private static final int ROWS_EACH = 5;
    // Its creation comes in one message with its rows, where the driver does not look for it.
    private static final int MADE_BY_INSERT = 7;
    // How long to wait for what must come, and for what must not.
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration SILENCE = Duration.ofMillis(300);

    private Consumers() {}

    /** A row as the driver gives its objects, in the order of the columns. */
    public static final class Row implements Deserializer<List<Object>> {
        @Override
        public List<Object> deserialize(ResultSet result, String topic, String database) throws SQLException {
            List<Object> row = new ArrayList<>();
            for (int column = 1; column <= result.getMetaData().getColumnCount(); column++) {
                row.add(result.getObject(column));
            }
            return row;
        }
    }

    /** A consumer of a group; `more` are further settings, in pairs. */
    private static <V> TaosConsumer<V> consumer(String group, Class<?> deserializer, String... more) throws SQLException {
        Properties settings = new Properties();
        settings.setProperty("td.connect.type", "ws");
        settings.setProperty("bootstrap.servers", Judge.ADDRESS);
        settings.setProperty("td.connect.user", "root");
        settings.setProperty("td.connect.pass", "taosdata");
        settings.setProperty("group.id", group);
        settings.setProperty("client.id", group + "_client");
        settings.setProperty("auto.offset.reset", "earliest");
        settings.setProperty("enable.auto.commit", "false");
        settings.setProperty("msg.with.table.name", "true");
        settings.setProperty("varcharAsString", "true");
        settings.setProperty("value.deserializer", deserializer.getName());
        for (int i = 0; i + 1 < more.length; i += 2) {
            settings.setProperty(more[i], more[i + 1]);
        }
        return new TaosConsumer<>(settings);
    }

    private static TaosConsumer<List<Object>> subscribed(String group, String topic, String... more) throws SQLException {
        TaosConsumer<List<Object>> reader = consumer(group, Row.class, more);
        reader.subscribe(List.of(topic));
        return reader;
    }

    private static <V> List<ConsumerRecord<V>> poll(TaosConsumer<V> reader, Duration timeout) throws SQLException {
        List<ConsumerRecord<V>> records = new ArrayList<>();
        reader.poll(timeout).forEach(records::add);
        return records;
    }

    /** Reads until so many records with rows came, and a moment longer for one too many. */
    private static <V> List<ConsumerRecord<V>> drain(TaosConsumer<V> reader, int missing) throws SQLException {
        List<ConsumerRecord<V>> all = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (all.stream().filter(record -> record.value() != null).count() < missing && System.nanoTime() < deadline) {
            all.addAll(poll(reader, Duration.ofMillis(500)));
        }
        for (var more = poll(reader, SILENCE); !more.isEmpty(); more = poll(reader, SILENCE)) {
            all.addAll(more);
        }
        return all;
    }

    private static List<List<Object>> rows(List<ConsumerRecord<List<Object>>> records, Comparator<List<Object>> order) {
        return records.stream().map(ConsumerRecord::value).sorted(order).toList();
    }

    /** Asks again and again, since the server may take a moment. */
    private static void eventually(String what, Callable<Boolean> holds) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!holds.call()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("it never came true that " + what);
            }
            Thread.sleep(20);
        }
    }

    /** The driver has the server's codes of subscriptions only in its text. */
    private static void refused(String words, Judge.Body body) throws Exception {
        try {
            body.run();
        } catch (SQLException refusal) {
            if (!refusal.getMessage().contains(words)) {
                throw new AssertionError("the error lacks \"" + words + "\": " + refusal.getMessage());
            }
            return;
        }
        throw new AssertionError("it was not refused");
    }

    /** A super table of numbered rows and a topic of the same name, which selects them. */
    private static List<List<Object>> numbers(String name) throws SQLException {
        List<List<Object>> all = new ArrayList<>();
        try (Connection connection = Judge.connect("TAOS-WS", DATABASE)) {
            Judge.execute(connection, "create table " + name + " (ts timestamp, n int) tags (id int)");
            Judge.execute(connection, "create topic " + name + " as select tbname, ts, n, id from " + DATABASE + "." + name);
            for (int table = 0; table < TABLES; table++) {
                all.addAll(write(connection, name, table, 0, ROWS_EACH));
            }
        }
        return all;
    }

    private static List<List<Object>> write(Connection connection, String name, int table, int from, int count) throws SQLException {
        StringBuilder values = new StringBuilder();
        List<List<Object>> all = new ArrayList<>();
        for (int n = from; n < from + count; n++) {
            values.append(" (").append(Judge.at(1000L * table + n).getTime()).append(", ").append(100 * table + n).append(")");
            all.add(Judge.row(name + "_" + table, Judge.at(1000L * table + n), 100 * table + n, table));
        }
        Judge.execute(connection, "insert into " + name + "_" + table + " using " + name + " tags (" + table + ") values" + values);
        return all;
    }

    private static List<List<Object>> numbered(List<ConsumerRecord<List<Object>>> records) {
        return rows(records, Comparator.comparing(row -> (Integer) row.get(2)));
    }

    static void checks() {
        Judge.check(CLIENT, "creates a database of four vgroups, and topics of each kind", Consumers::createTopics);
        Judge.check(CLIENT, "reads every type, NULLs, names and tags from a topic of a query", Consumers::readQueryTopic);
        Judge.check(CLIENT, "reads the rows of a super table", () -> readTables("java_stable"));
        Judge.check(CLIENT, "reads a database's topic", () -> readTables("java_database"));
        Judge.check(CLIENT, "reads a database's topic with what made its tables", () -> {
            List<Meta> metas = readTables("java_meta", "enable_batch_meta", "1");
            readCreations(metas);
        });
        Judge.check(CLIENT, "reads rows with the names of their tables and columns", Consumers::readNames);
        Judge.check(CLIENT, "is told what changes tables", Consumers::readChanges);
        Judge.check(CLIENT, "lists four vgroups, seeks to their begin and reads all again", Consumers::seekBack);
        Judge.check(CLIENT, "commits an offset of its own choice, and is told it", Consumers::commitOffsets);
        Judge.check(CLIENT, "commits; another consumer of the group goes on behind", Consumers::resume);
        Judge.check(CLIENT, "commits by itself, when asked to", Consumers::commitByItself);
        Judge.check(CLIENT, "sees only what is written after it came, when it starts at latest", Consumers::startAtLatest);
        Judge.check(CLIENT, "shares four vgroups with another consumer of its group, two each", Consumers::share);
        Judge.check(CLIENT, "keeps a topic from being dropped until it unsubscribes", Consumers::dropTopic);
        Judge.check(CLIENT, "is told of a topic that is not there, and can subscribe to another", Consumers::unknownTopic);
        Judge.check(CLIENT, "is refused with a wrong password", () -> refused("init tscObj failed", () -> {
            try (TaosConsumer<List<Object>> reader = consumer("login", Row.class, "td.connect.pass", "wrong")) {
                reader.subscribe(List.of("java_select"));
            }
        }));
    }

    private static void createTopics() throws Exception {
        try (Connection connection = Judge.connect("TAOS-WS", "")) {
            String kinds = DATABASE + ".kinds";
            Judge.execute(connection, "create database " + DATABASE + " precision 'ms' vgroups 4 wal_retention_period 3600");
            Judge.execute(connection, "create table " + kinds + " (ts timestamp, " + Kinds.declarations(Kinds.ALL)
                    + ") tags (place varchar(24), floor int)");
            Judge.execute(connection, "create topic java_select as select tbname, ts, "
                    + Kinds.list(Kinds.ALL, Kinds::name) + ", place, floor from " + kinds);
            Judge.execute(connection, "create topic java_stable as stable " + kinds);
            Judge.execute(connection, "create topic java_database as database " + DATABASE);
            Judge.execute(connection, "create topic java_meta with meta as database " + DATABASE);
            String values = Kinds.list(Kinds.ALL, Kinds::literal);
            String nulls = Kinds.list(Kinds.ALL, kind -> "null");
            for (int table = 0; table < TABLES; table++) {
                String tags = table == 0 ? "null, null" : "'Gdańsk 🐢', " + table;
                String using = DATABASE + ".k" + table + " using " + kinds + " tags (" + tags + ")";
                long time = Judge.at(1000L * table).getTime();
                if (table != MADE_BY_INSERT) {
                    Judge.execute(connection, "create table " + using);
                }
                Judge.execute(connection, "insert into " + using + " values (" + time + ", " + values + ") ("
                        + (time + 1) + ", " + nulls + ")");
            }
        }
    }

    /** The rows that createTopics wrote, in the order of their times. */
    private static List<List<Object>> kindRows(IntFunction<List<Object>> head, IntFunction<List<Object>> tail) {
        List<List<Object>> all = new ArrayList<>();
        for (int table = 0; table < TABLES; table++) {
            for (var values : List.of(Kinds.full(Kinds.ALL, 1000L * table), Kinds.nulls(Kinds.ALL, 1000L * table + 1))) {
                List<Object> row = new ArrayList<>(head.apply(table));
                row.addAll(values);
                row.addAll(tail.apply(table));
                all.add(row);
            }
        }
        return all;
    }

    private static void readQueryTopic() throws Exception {
        try (TaosConsumer<List<Object>> reader = subscribed("select", "java_select")) {
            var records = drain(reader, 2 * TABLES);
            Set<Integer> vgroups = new HashSet<>();
            for (var record : records) {
                Judge.equal(List.of(record.getTopic(), record.getDbName()), List.of("java_select", DATABASE));
                vgroups.add(record.getVGroupId());
            }
            Judge.equal(vgroups.size(), 4);
            Judge.equal(
                    rows(records, Comparator.comparing(row -> (Timestamp) row.get(1))),
                    kindRows(
                            table -> Judge.row("k" + table),
                            table -> table == 0 ? Judge.row(null, null) : Judge.row("Gdańsk 🐢", table)));
        }
    }

    /** Reads a topic of tables whole; gives what it tells of them. */
    private static List<Meta> readTables(String topic, String... more) throws Exception {
        try (TaosConsumer<List<Object>> reader = subscribed("tables", topic, more)) {
            var records = drain(reader, 2 * TABLES);
            List<Meta> metas = new ArrayList<>();
            for (var record : records) {
                if (record.getMeta() != null) {
                    metas.add(record.getMeta());
                }
            }
            records.removeIf(record -> record.value() == null);
            Judge.equal(
                    rows(records, Comparator.comparing(row -> (Timestamp) row.get(0))),
                    kindRows(table -> List.of(), table -> List.of()));
            return metas;
        }
    }

    /** The driver can name tables and columns only where no value is NULL: it fails on a NULL of type BOOL or text. */
    private static void readNames() throws Exception {
        var expected = numbers("java_named");
        try (Connection connection = Judge.connect("TAOS-WS", "")) {
            Judge.execute(connection, "create topic java_names as stable " + DATABASE + ".java_named");
        }
        try (TaosConsumer<TMQEnhMap> reader = consumer("names", MapEnhanceDeserializer.class)) {
            reader.subscribe(List.of("java_names"));
            TreeMap<Integer, List<Object>> found = new TreeMap<>();
            for (var record : drain(reader, expected.size())) {
                Map<String, Object> values = record.value().getMap();
                Judge.equal(values.size(), 2);
                int number = (Integer) values.get("n");
                found.put(number, Judge.row(record.value().getTableName(), values.get("ts"), number, number / 100));
            }
            Judge.equal(List.copyOf(found.values()), expected);
        }
    }

    private static void readCreations(List<Meta> metas) {
        Map<String, List<Tag>> made = new HashMap<>();
        boolean superTable = false;
        for (Meta meta : metas) {
            if (meta instanceof MetaCreateSuperTable creation) {
                superTable = true;
                Judge.equal(creation.getTableName(), "kinds");
                Judge.equal(List.of(creation.getColumns().size(), creation.getTags().size()), List.of(1 + Kinds.ALL.size(), 2));
                var text = creation.getColumns().get(12);
                Judge.equal(List.of(text.getName(), text.getType(), text.getLength()), List.of("vc", 8, 32));
            } else if (meta instanceof MetaCreateChildTable creation) {
                if (creation.getCreateList() == null || creation.getCreateList().isEmpty()) {
                    Judge.equal(creation.getUsing(), "kinds");
                    made.put(creation.getTableName(), creation.getTags());
                } else {
                    for (ChildTableInfo child : creation.getCreateList()) {
                        Judge.equal(child.getUsing(), "kinds");
                        made.put(child.getTableName(), child.getTags());
                    }
                }
            } else {
                throw new AssertionError("unexpected: " + meta.getClass());
            }
        }
        Judge.equal(superTable, true);
        Judge.equal(made.size(), TABLES - 1);
        Judge.equal(made.get("k0").size(), 0);
        Judge.equal(made.get("k3").get(0).getValue().asText(), "\"Gdańsk 🐢\"");
        Judge.equal(made.get("k3").get(1).getValue().asInt(), 3);
    }

    private static void readChanges() throws Exception {
        String database = DATABASE + "_changes";
        try (Connection connection = Judge.connect("TAOS-WS", "")) {
            for (String sql : List.of(
                    "create database " + database + " vgroups 1",
                    "create topic java_changes with meta as database " + database,
                    "use " + database,
                    "create table tops (ts timestamp, n int) tags (id int)",
                    "alter table tops add column more nchar(8)",
                    "create table t1 using tops tags (1)",
                    "insert into t1 values (1700000000000, 1, 'żółw 🐢')",
                    "delete from t1 where ts <= 1700000000000",
                    "create table t2 using tops tags (2)",
                    "drop table t2",
                    "create table gone (ts timestamp, n int) tags (id int)",
                    "drop table gone")) {
                Judge.execute(connection, sql);
            }
        }
        try (TaosConsumer<TMQEnhMap> reader = consumer("changes", MapEnhanceDeserializer.class, "enable_batch_meta", "1")) {
            reader.subscribe(List.of("java_changes"));
            List<Object> said = new ArrayList<>();
            for (var record : drain(reader, 1)) {
                if (record.value() != null) {
                    said.add("row " + record.value().getMap().get("more"));
                }
                Meta meta = record.getMeta();
                if (meta instanceof MetaAlterTable alter) {
                    said.add("alter " + alter.getAlterType() + " " + alter.getColName() + " " + alter.getColLength());
                } else if (meta instanceof MetaDropTable drop) {
                    said.add("drop " + drop.getTableNameList());
                } else if (meta instanceof MetaDeleteData delete) {
                    said.add(delete.getSql().replace("`", "").toLowerCase());
                } else if (meta != null) {
                    said.add(meta.getType() + " " + meta.getTableName());
                }
            }
            Judge.equal(said, List.of(
                    "CREATE tops",
                    "alter 5 more 8",
                    "CREATE t1",
                    "row żółw 🐢",
                    "delete from t1 where ts >= -9223372036854775808 and ts <= 1700000000000",
                    "CREATE t2",
                    "drop [t2]",
                    "CREATE gone",
                    "DROP gone"));
        }
    }

    private static void seekBack() throws Exception {
        var expected = numbers("java_seek");
        try (TaosConsumer<List<Object>> reader = subscribed("seek", "java_seek")) {
            Judge.equal(List.copyOf(reader.subscription()), List.of("java_seek"));
            Set<TopicPartition> partitions = reader.assignment();
            Judge.equal(partitions.size(), 4);
            Judge.equal(numbered(drain(reader, expected.size())), expected);
            Map<TopicPartition, Long> begin = reader.beginningOffsets("java_seek");
            Map<TopicPartition, Long> end = reader.endOffsets("java_seek");
            for (var partition : partitions) {
                long position = reader.position(partition);
                Judge.equal(position, reader.position("java_seek").get(partition));
                Judge.equal(begin.get(partition) < position && position <= end.get(partition), true);
                reader.seek(partition, begin.get(partition));
            }
            Judge.equal(numbered(drain(reader, expected.size())), expected);
            reader.seekToEnd(partitions);
            Judge.equal(drain(reader, 0).size(), 0);
            reader.seekToBeginning(partitions);
            Judge.equal(numbered(drain(reader, expected.size())), expected);
            reader.unsubscribe();
        }
    }

    private static void commitOffsets() throws Exception {
        var expected = numbers("java_offsets");
        try (TaosConsumer<List<Object>> reader = subscribed("offsets", "java_offsets")) {
            Judge.equal(numbered(drain(reader, expected.size())), expected);
            for (var wanted : List.of(reader.endOffsets("java_offsets"), reader.beginningOffsets("java_offsets"))) {
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                wanted.forEach((partition, offset) -> offsets.put(partition, new OffsetAndMetadata(offset)));
                reader.commitSync(offsets);
                for (var partition : wanted.keySet()) {
                    Judge.equal(reader.committed(partition).offset(), wanted.get(partition));
                }
                var told = reader.committed(wanted.keySet());
                wanted.forEach((partition, offset) -> Judge.equal(told.get(partition).offset(), offset));
            }
            reader.unsubscribe();
        }
        try (TaosConsumer<List<Object>> again = subscribed("offsets", "java_offsets")) {
            Judge.equal(numbered(drain(again, expected.size())), expected);
        }
    }

    private static void resume() throws Exception {
        var expected = numbers("java_resume");
        List<ConsumerRecord<List<Object>>> taken = new ArrayList<>();
        // Closing without a word ends a consumer as well.
        try (TaosConsumer<List<Object>> first = subscribed("resume", "java_resume")) {
            taken.addAll(poll(first, PATIENCE));
            taken.addAll(poll(first, PATIENCE));
            first.commitSync();
            for (var record : taken) {
                TopicPartition partition = new TopicPartition("java_resume", record.getVGroupId());
                Judge.equal(first.committed(partition).offset(), first.position(partition));
            }
        }
        try (TaosConsumer<List<Object>> second = subscribed("resume", "java_resume")) {
            var rest = drain(second, expected.size() - taken.size());
            Judge.equal(List.of(taken.isEmpty(), rest.isEmpty()), List.of(false, false));
            taken.addAll(rest);
            Judge.equal(numbered(taken), expected);
            second.unsubscribe();
        }
        try (TaosConsumer<List<Object>> other = subscribed("resume_other", "java_resume")) {
            Judge.equal(numbered(drain(other, expected.size())), expected);
        }
    }

    private static void commitByItself() throws Exception {
        var expected = numbers("java_auto");
        String[] automatic = {"enable.auto.commit", "true", "auto.commit.interval.ms", "1"};
        try (TaosConsumer<List<Object>> reader = subscribed("auto", "java_auto", automatic)) {
            Judge.equal(numbered(drain(reader, expected.size())), expected);
            eventually("all is committed", () -> {
                poll(reader, Duration.ofMillis(1));
                for (var partition : reader.assignment()) {
                    OffsetAndMetadata committed = reader.committed(partition);
                    if (committed == null || committed.offset() != reader.position(partition)) {
                        return false;
                    }
                }
                return true;
            });
        }
        List<List<Object>> more;
        try (Connection connection = Judge.connect("TAOS-WS", DATABASE)) {
            more = write(connection, "java_auto", 3, 50, 3);
        }
        try (TaosConsumer<List<Object>> second = subscribed("auto", "java_auto", automatic)) {
            Judge.equal(numbered(drain(second, more.size())), more);
        }
    }

    private static void startAtLatest() throws Exception {
        numbers("java_latest");
        try (TaosConsumer<List<Object>> reader = subscribed("latest", "java_latest", "auto.offset.reset", "latest");
                Connection connection = Judge.connect("TAOS-WS", DATABASE)) {
            Judge.equal(drain(reader, 0).size(), 0);
            List<List<Object>> more = new ArrayList<>(write(connection, "java_latest", 1, 60, 3));
            more.addAll(write(connection, "java_latest", 6, 60, 2));
            Judge.equal(numbered(drain(reader, more.size())), more);
        }
    }

    private static void share() throws Exception {
        var expected = numbers("java_shared");
        Map<Object, List<Object>> seen = new TreeMap<>();
        try (TaosConsumer<List<Object>> one = subscribed("shared", "java_shared")) {
            try (TaosConsumer<List<Object>> two = subscribed("shared", "java_shared")) {
                Judge.Body read = () -> {
                    for (var reader : List.of(one, two)) {
                        poll(reader, Duration.ofMillis(50)).forEach(record -> seen.put(record.value().get(2), record.value()));
                    }
                };
                eventually("each consumer has two vgroups", () -> {
                    read.run();
                    Set<TopicPartition> all = new HashSet<>(one.assignment());
                    all.addAll(two.assignment());
                    return one.assignment().size() == 2 && two.assignment().size() == 2 && all.size() == 4;
                });
                eventually("every row was read", () -> {
                    read.run();
                    return seen.size() == expected.size();
                });
                Judge.equal(List.copyOf(seen.values()), expected);
                two.unsubscribe();
            }
            eventually("the other takes over", () -> {
                poll(one, Duration.ofMillis(50));
                return one.assignment().size() == 4;
            });
        }
    }

    private static void dropTopic() throws Exception {
        numbers("java_dropped");
        try (Connection connection = Judge.connect("TAOS-WS", "")) {
            try (TaosConsumer<List<Object>> reader = subscribed("dropped", "java_dropped")) {
                Judge.equal(poll(reader, PATIENCE).isEmpty(), false);
                Judge.refused(1003, "", () -> Judge.execute(connection, "drop topic java_dropped"));
                reader.unsubscribe();
            }
            eventually("the topic can be dropped", () -> {
                try {
                    Judge.execute(connection, "drop topic java_dropped");
                    return true;
                } catch (SQLException refusal) {
                    Judge.equal(refusal.getErrorCode() & 0xffff, 1003);
                    return false;
                }
            });
        }
    }

    private static void unknownTopic() throws Exception {
        var expected = numbers("java_known");
        try (TaosConsumer<List<Object>> reader = consumer("unknown", Row.class)) {
            refused("0x3e1", () -> reader.subscribe(List.of("no_such_topic")));
            reader.subscribe(List.of("java_known"));
            Judge.equal(numbered(drain(reader, expected.size())), expected);
        }
    }
}
