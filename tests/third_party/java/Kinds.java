import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/** One column of each type that a table can have: as INSERT takes a value, and as it must come back. */
record Kinds(String name, String type, String literal, Object value) {
    static final byte[] POINT = {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte) 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40};

    static final List<Kinds> ALL = List.of(
            new Kinds("b", "bool", "true", true),
            new Kinds("i8", "tinyint", "-128", (byte) -128),
            new Kinds("i16", "smallint", "-32768", (short) -32768),
            new Kinds("i32", "int", "-2147483648", -2147483648),
            new Kinds("i64", "bigint", "-9223372036854775807", -9223372036854775807L),
            new Kinds("u8", "tinyint unsigned", "255", (short) 255),
            new Kinds("u16", "smallint unsigned", "65535", 65535),
            new Kinds("u32", "int unsigned", "4294967295", 4294967295L),
            new Kinds("u64", "bigint unsigned", "18446744073709551615", new BigInteger("18446744073709551615")),
            new Kinds("f32", "float", "1.5", 1.5f),
            new Kinds("f64", "double", "2.25", 2.25),
            new Kinds("vc", "varchar(32)", "'plain \"text\"'", "plain \"text\""),
            new Kinds("nc", "nchar(32)", "'żółw 🐢'", "żółw 🐢"),
            new Kinds("vb", "varbinary(16)", "'\\x00ff10'", new byte[] {0, (byte) 0xff, 0x10}),
            new Kinds("geo", "geometry(64)", "'POINT(1 2)'", POINT),
            new Kinds("d64", "decimal(10,2)", "123.45", new BigDecimal("123.45")),
            new Kinds("d128", "decimal(38,6)", "12345678901234567890.123456",
                    new BigDecimal("12345678901234567890.123456")));

    /** The columns that the driver can bind: decimals it cannot. */
    static final List<Kinds> BOUND = ALL.subList(0, 15);

    static String list(List<Kinds> kinds, Function<Kinds, String> part) {
        return kinds.stream().map(part).collect(Collectors.joining(", "));
    }

    static String declarations(List<Kinds> kinds) {
        return list(kinds, kind -> kind.name + " " + kind.type);
    }

    /** What a full row reads as, its time first. */
    static List<Object> full(List<Kinds> kinds, long milliseconds) {
        List<Object> row = new ArrayList<>(List.of(Judge.at(milliseconds)));
        kinds.forEach(kind -> row.add(kind.value));
        return row;
    }

    /** What a row of NULLs reads as. */
    static List<Object> nulls(List<Kinds> kinds, long milliseconds) {
        List<Object> row = new ArrayList<>(List.of(Judge.at(milliseconds)));
        row.addAll(Collections.nCopies(kinds.size(), null));
        return row;
    }

    /** A super table of all types; d1 has a full row and one of NULLs, d2 one row. */
    static List<String> setup(String database) {
        String values = list(ALL, Kinds::literal);
        return List.of(
                "create database " + database + " precision 'ms'",
                "create table " + database + ".kinds (ts timestamp, " + declarations(ALL)
                        + ") tags (place varchar(24), floor int)",
                "create table " + database + ".d1 using " + database + ".kinds tags ('Gdańsk', 3)",
                "insert into " + database + ".d1 values (1700000000000, " + values + ")",
                "insert into " + database + ".d1 values (1700000001000, " + list(ALL, kind -> "null") + ")",
                "insert into " + database + ".d2 using " + database + ".kinds tags (null, null) values (1700000002000, "
                        + values + ")");
    }
}
