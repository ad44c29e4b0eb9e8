use proptest::prelude::*;
use rusqlite::types::Value;

use super::*;

const NOW: i64 = 1_800_000_000_000_000_000;

fn batch(protocol: i32, data: &str) -> SchemalessBatch<'_> {
    SchemalessBatch {
        protocol,
        precision: "",
        ttl: 0,
        table_name_key: "",
        data,
    }
}

fn read_ms(batch: &SchemalessBatch<'_>) -> Result<Vec<Measure>, SqlError> {
    read(batch, Precision::Millisecond, NOW).map(|(points, _)| points.measures)
}

/// Tables, columns and values as one line of text.
fn shown(batch: &SchemalessBatch<'_>) -> String {
    let measures = match read_ms(batch) {
        Ok(measures) => measures,
        Err(error) => return format!("{:#x} {}", error.code, error.message),
    };
    let value = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let mut out = Vec::new();
    for measure in &measures {
        for child in &measure.children {
            let mut part = measure.name.clone();
            for (at, tag) in &child.tags {
                let key = &measure.tags[*at];
                part += &format!(",{}={}", key.name, value(tag));
            }
            for group in &child.groups {
                let names = group.columns.iter().map(|at| {
                    let field = &measure.columns[*at];
                    format!("{}:{}", field.name, field.ty.name())
                });
                part += &format!(" [{}]", names.collect::<Vec<_>>().join(" "));
                for row in group.values.chunks(group.columns.len() + 1) {
                    let row: Vec<String> = row.iter().map(value).collect();
                    part += &format!(" {}", row.join("/"));
                }
            }
            out.push(part);
        }
    }
    out.join("; ")
}

#[test]
fn lines_are_read_with_their_escapes_and_comments_are_passed_over() {
    for (data, expected) in [
        ("m v=1 1700000000000000000", "m [v:DOUBLE] 1700000000000/1"),
        (
            "m,a=x v=1i,w=t 1700000000000000000\n",
            "m,a=x [v:BIGINT w:BOOL] 1700000000000/1/1",
        ),
        (
            "# m v=x\nm.n v=1 1700000000000000000",
            "m_n [v:DOUBLE] 1700000000000/1",
        ),
        (
            "a\\ b\\,c,d\\=e=f\\ g\\,h\\=i\\j v=1 1700000000000000000",
            "a b,c,d=e=f g,h=i\\j [v:DOUBLE] 1700000000000/1",
        ),
        (
            "m v=\"a b,c=\\\"d\\\" \\\\\",w=L\"x\" 1700000000000000000\r",
            "m [v:VARCHAR w:NCHAR] 1700000000000/a b,c=\"d\" \\/x",
        ),
        ("m v=1", "m [v:DOUBLE] 1800000000000/1"),
        ("m v=1 0", "m [v:DOUBLE] 1800000000000/1"),
        (
            "  m,a=1,  v=2  1700000000000000000 and more",
            "m,a=1 [v:DOUBLE] 1700000000000/2",
        ),
        (
            "m,a=1 v=1 1700000000000000000\nm,a=1 w=2 1700000001000000000\nm,a=1 v=3 1700000002000000000\nm,a=1 v=4 1700000001000000000",
            "m,a=1 [v:DOUBLE] 1700000000000/1 1700000002000/3 [w:DOUBLE] 1700000001000/2 [v:DOUBLE] 1700000001000/4",
        ),
        (
            "m,a=1,b=2 v=1 1700000000000000000\nm,b=2,a=1 v=2 1700000001000000000",
            "m,a=1,b=2 [v:DOUBLE] 1700000000000/1 1700000001000/2",
        ),
    ] {
        assert_eq!(shown(&batch(1, data)), expected, "{data}");
    }
}

#[test]
fn one_bad_line_refuses_all_and_is_shown_from_the_bad_place_on() {
    let good = "m v=1 1700000000000000000\n";
    for (data, expected) in [
        ("not a line", "0x3002 SML line invalid data: line"),
        ("", "0x20a "),
        (",a=1 v=1", "0x3002 SML line invalid data:,a=1 v=1"),
        ("m,a v=1", "0x3002 SML line invalid data: v=1"),
        ("m,a=1=2 v=1", "0x3002 SML line invalid data:=2 v=1"),
        ("m,a= v=1", "0x3002 SML line invalid value: v=1"),
        ("m,=1 v=1", "0x21f "),
        ("m,a=1", "0x3002 SML line has no columns"),
        ("m v", "0x21f SML invalid key or key is too long than 64:v"),
        ("m v= 1", "0x3002 SML line invalid value: 1"),
        ("m v=\"a 1", "0x3002 SML line unbalanced quotes:\"a 1"),
        ("m v=\"a\"\"b\" 1", "0x3002 SML line unbalanced quotes"),
        ("m v=abc 1", "0x203 SML invalid value:abc"),
        (
            "m v=300u8 1",
            "0x203 unsigned tinyint out of range[0,255]:300u8",
        ),
        ("m v=1 soon", "0x127 Invalid timestamp format:soon"),
        ("m v=1 -5", "0x127 Invalid timestamp format:-5"),
        ("m v=1,v=2 1", "0x124 duplicate key:v"),
        ("m,a=1,a=2 v=1 1", "0x124 duplicate key:a"),
        ("m _ts=1 1", "0x124 duplicate key:_ts"),
        (
            "m v=1i 1",
            "0x3004 SML the type is not the same as before:v",
        ),
    ] {
        let data = format!("{good}{data}\n");
        let got = shown(&batch(1, &data));
        assert!(got.starts_with(expected), "{data:?}: {got}");
    }
    let long = "n".repeat(193);
    assert!(shown(&batch(1, &format!("{long} v=1"))).starts_with("0x20a"));
    assert!(shown(&batch(1, &format!("m {long}=1"))).starts_with("0x21f"));
    assert_eq!(shown(&batch(1, "")), "0x3002 line num is invalid");
    assert_eq!(shown(&batch(1, "# only\n")), "0x3002 line num is invalid");
    assert!(shown(&batch(4, "x")).starts_with("0x3000"));
}

#[test]
fn only_the_known_names_of_units_change_what_a_time_means() {
    for (precision, time, expected) in [
        ("h", "472222", 1_699_999_200_000_i64),
        ("m", "28333333", 1_699_999_980_000),
        ("s", "1700000000", 1_700_000_000_000),
        ("ms", "1700000000123", 1_700_000_000_123),
        ("u", "1700000000123456", 1_700_000_000_123),
        ("\u{3bc}", "1700000000123456", 1_700_000_000_123),
        ("ns", "1700000000123456789", 1_700_000_000_123),
        ("", "1700000000123456789", 1_700_000_000_123),
        ("us", "1700000000123456789", 1_700_000_000_123),
        ("MS", "1700000000123456789", 1_700_000_000_123),
    ] {
        let data = format!("m v=1 {time}");
        let batch = SchemalessBatch {
            precision,
            ..batch(1, &data)
        };
        assert_eq!(
            shown(&batch),
            format!("m [v:DOUBLE] {expected}/1"),
            "{precision}"
        );
    }
    let far = SchemalessBatch {
        precision: "h",
        ..batch(1, "m v=1 9223372036854775807")
    };
    assert!(shown(&far).starts_with("0x127"));
}

#[test]
fn telnet_lines_have_one_value_and_times_by_their_digits() {
    for (data, expected) in [
        (
            "sys.cpu 1700000000 42.5 host=web01 dc=lga\nsys.cpu 1700000001000 43  host=web01  dc=lga \r\n",
            "sys_cpu,host=web01,dc=lga [_value:DOUBLE] 1700000000000/42.5 1700000001000/43",
        ),
        ("m 0 7i32 a=b", "m,a=b [_value:INT] 1800000000000/7"),
        (
            "m 1700000000 L\"x\" a=b",
            "m,a=b [_value:NCHAR] 1700000000000/x",
        ),
        ("sys.cpu", "0x20a SML telnet invalid measure:"),
        ("m 1700000000", "0x3002 SML telnet invalid timestamp:"),
        ("m 17000 1 a=b", "0x127 a timestamp has ten digits"),
        (
            "m 17000000xx 1 a=b",
            "0x127 Invalid timestamp format:17000000xx",
        ),
        ("m 1700000000 1", "0x203 SML telnet invalid cols:"),
        ("m 1700000000 1 ", "0x203 SML telnet invalid tags:"),
        ("m 1700000000 x a=b", "0x203 SML invalid value:x"),
        (
            "m 1700000000 1 a b=c",
            "0x3002 SML telnet invalid data: b=c",
        ),
        ("m 1700000000 1 a=", "0x203 SML telnet invalid value:a="),
        (
            "m 1700000000 1 a=b=c",
            "0x3002 SML telnet invalid data:a=b=c",
        ),
        ("m 1700000000 1 =b", "0x21f "),
    ] {
        let got = shown(&batch(2, data));
        assert!(got.starts_with(expected), "{data:?}: {got}");
    }
}

#[test]
fn json_points_come_alone_or_in_arrays_and_may_name_their_types() {
    for (data, expected) in [
        (
            r#"{"metric":"sys.mem","timestamp":1700000000,"value":18,"tags":{"host":"w","up":true,"n":2}}"#,
            "sys_mem,host=w,up=1,n=2 [_value:DOUBLE] 1700000000000/18",
        ),
        (
            r#"[{"Tags":{"h":{"value":"w","type":"nchar"}},"VALUE":{"value":7,"type":"bigint"},"metric":"m","timestamp":{"value":1700000000000,"type":"ms"}},
                {"metric":"m","timestamp":1700000000001,"value":{"value":8.9,"type":"i64"},"tags":{"h":{"value":"w","type":"nchar"}}}]"#,
            "m,h=w [_value:BIGINT] 1700000000000/7 1700000000001/8",
        ),
        (
            r#"{"metric":"m","timestamp":0,"value":"a\"b","tags":{"h":1}}"#,
            "m,h=1 [_value:VARCHAR] 1800000000000/a\"b",
        ),
        ("[]", ""),
        (r#"{"metric":"#, "0x221 Invalid JSON format"),
        (
            r#"{"metric":"m","timestamp":1700000000,"value":1}"#,
            "0x221",
        ),
        (
            r#"{"metric":"m","timestamp":1700000000,"value":1,"tags":{},"x":1}"#,
            "0x221",
        ),
        (
            r#"{"metric":"m","timestamp":1700000000,"value":1,"tags":{}}"#,
            "0x221",
        ),
        (
            r#"{"metric":"m","timestamp":1700000000,"value":null,"tags":{"a":1}}"#,
            "0x221",
        ),
        (
            r#"{"metric":"m","timestamp":1700000000,"value":{"value":1},"tags":{"a":1}}"#,
            "0x221",
        ),
        (
            r#"{"metric":"m","timestamp":1700000000,"value":{"value":1,"type":"nchar"},"tags":{"a":1}}"#,
            "0x222",
        ),
        (
            r#"{"metric":"m","timestamp":1700000000,"value":{"value":300,"type":"i8"},"tags":{"a":1}}"#,
            "0x224",
        ),
        (
            r#"{"metric":"m","timestamp":17,"value":1,"tags":{"a":1}}"#,
            "0x127",
        ),
        (
            r#"{"metric":"m","timestamp":{"value":17,"type":"h"},"value":1,"tags":{"a":1}}"#,
            "0x127",
        ),
        (
            r#"{"metric":"","timestamp":1700000000,"value":1,"tags":{"a":1}}"#,
            "0x20a",
        ),
    ] {
        let got = shown(&batch(3, data));
        assert!(got.starts_with(expected), "{data:?}: {got}");
    }
}

#[test]
fn lines_are_counted_without_comments_and_those_of_json_as_they_are() {
    for (protocol, data, expected) in [
        (1, "a\n#b\nc", 2),
        (1, "a\nb\n", 2),
        (2, "#a\nb", 2),
        (3, "[{},{}]", 1),
        (3, "[\n]", 2),
    ] {
        assert_eq!(total(&batch(protocol, data)), expected, "{data:?}");
    }
}

#[test]
fn the_tag_that_names_the_table_is_no_tag() {
    let with_key = SchemalessBatch {
        table_name_key: "tn",
        ..batch(1, "m,tn=my.child,a=1 v=1 1700000000000000000")
    };
    let measures = read_ms(&with_key).unwrap();
    assert_eq!(measures[0].children[0].name, "my_child");
    assert_eq!(measures[0].tags.len(), 1);
    let alone = SchemalessBatch {
        data: "m,tn=x v=1",
        ..with_key
    };
    assert_eq!(read_ms(&alone).unwrap()[0].tags_or_none()[0].name, NO_TAG);
}

/// Payloads that are nearly right.
fn almost() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "m",
        "v",
        "a",
        ",",
        " ",
        "=",
        "\"",
        "\\",
        "\n",
        "#",
        "1",
        "i64",
        "u8",
        "f32",
        "t",
        "L\"",
        "B\"\\x",
        "G\"",
        "1700000000",
        "1700000000000",
        ".",
        "-",
        "{",
        "}",
        "[",
        "]",
        ":",
        "\"metric\":\"m\"",
        "\"value\":1",
        "\"timestamp\":1700000000",
        "\"tags\":{\"a\":\"b\"}",
        "\u{6807}",
        "\r",
        "e",
        "_ts",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_breaks_a_reader(protocol in 0..5, data in prop_oneof![".*", almost()], key in "[av]?") {
        let batch = SchemalessBatch { table_name_key: &key, ..batch(protocol, &data) };
        if let Ok(measures) = read_ms(&batch) {
            for measure in &measures {
                for group in measure.children.iter().flat_map(|child| &child.groups) {
                    prop_assert_eq!(group.values.len() % (group.columns.len() + 1), 0);
                    prop_assert!(group.columns.iter().all(|at| *at < measure.columns.len()));
                }
            }
        }
    }

    #[test]
    fn what_is_written_with_escapes_is_read_without(tag in "[ -~]{1,20}", text in "[ -~\u{e9}]{0,20}") {
        // a backslash at the end would take the meaning from what follows
        prop_assume!(!tag.ends_with('\\') && !tag.contains("\\,") && !tag.contains("\\=") && !tag.contains("\\ "));
        let escape = |text: &str, of: &[char]| text.chars().fold(String::new(), |mut out, c| {
            if of.contains(&c) {
                out.push('\\');
            }
            out.push(c);
            out
        });
        let data = format!(
            "m,a={} v=\"{}\" 1700000000000000000",
            escape(&tag, &[' ', ',', '=']),
            escape(&text, &['"', '\\'])
        );
        prop_assert_eq!(shown(&batch(1, &data)), format!("m,a={tag} [v:VARCHAR] 1700000000000/{text}"));
    }
}
