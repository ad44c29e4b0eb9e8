//! Every raw block that a real server sent, against the values named beside the recordings.
#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use taos_query::block::{RawBlock, fuzz_raw_block};
use taos_query::common::{BorrowedValue, Field, Precision, Ty};
use taos_query::tmq::raw::DataMessage;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

fn read_json(path: &Path) -> Option<Json> {
    let text = fs::read(path).ok()?;
    serde_json::from_slice(&text).ok()
}

/// A block as it came, with what the text replies say about it.
struct Recorded {
    file: String,
    connection: u64,
    /// Result id of a query, message id of a subscription.
    id: u64,
    subscription: bool,
    fields: Vec<Json>,
    types: Vec<Json>,
    block: RawBlock,
}

fn u64_at(frame: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(frame[at..at + 8].try_into().unwrap())
}

/// The id and block of a binary reply (taosadapter-ws §6.4, §6.5), `None` at the end of a result.
fn unwrap_frame(action: &str, subscription: bool, frame: &Bytes) -> Option<(u64, Bytes)> {
    if action == "fetch_block" {
        let (id, block) = if subscription { (16, 24) } else { (8, 16) };
        return Some((u64_at(frame, id), frame.slice(block..)));
    }
    let message = u32::from_le_bytes(frame[38..42].try_into().unwrap());
    let at = 42 + usize::try_from(message).unwrap();
    let finished = frame[at + 8] != 0;
    (!finished).then(|| (u64_at(frame, at), frame.slice(at + 13..)))
}

/// Name, type and width of each column as the text reply told them.
fn fields_of(reply: &Json) -> Vec<Field> {
    let list = |key: &str| reply[key].as_array().cloned().unwrap_or_default();
    list("fields_names")
        .iter()
        .zip(list("fields_types"))
        .zip(list("fields_lengths"))
        .map(|((name, ty), length)| {
            let id = u8::try_from(ty.as_u64().unwrap()).unwrap();
            let bytes = u32::try_from(length.as_u64().unwrap()).unwrap();
            Field::new(name.as_str().unwrap(), Ty::from_u8(id).unwrap(), bytes)
        })
        .collect()
}

/// All blocks of a scenario, decoded.
fn blocks_of(folder: &Path) -> Vec<Recorded> {
    let index = read_json(&folder.join("index.json")).unwrap();
    let mut described: Vec<(u64, u64, Json)> = Vec::new();
    let mut blocks = Vec::new();
    for frame in index["frames"].as_array().unwrap() {
        if frame["direction"] != "s2c" {
            continue;
        }
        let file = frame["file"].as_str().unwrap();
        let connection = frame["connection"].as_u64().unwrap();
        if frame["kind"] == "text" {
            let reply = read_json(&folder.join(file)).unwrap_or_default();
            let id = ["result_id", "id", "message_id"]
                .iter()
                .find_map(|key| reply[*key].as_u64());
            if let (Some(id), true) = (id, reply["fields_names"].is_array()) {
                described.push((connection, id, reply));
            }
            continue;
        }
        let action = frame["action"].as_str().unwrap();
        if !matches!(action, "fetch_block" | "fetch_raw_block") {
            continue;
        }
        let bytes = Bytes::from(fs::read(folder.join(file)).unwrap());
        let subscription = index["endpoints"][0] == "/rest/tmq";
        let Some((id, bytes)) = unwrap_frame(action, subscription, &bytes) else {
            continue;
        };
        let (_, _, reply) = described
            .iter()
            .rfind(|(c, i, _)| (*c, *i) == (connection, id))
            .unwrap_or_else(|| panic!("{file}: no reply describes result {id}"));
        let precision = Precision::try_from(reply["precision"].as_u64().unwrap()).unwrap();
        let mut block = RawBlock::parse_from_raw_block(bytes.clone(), precision)
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(block.as_raw_bytes(), &bytes, "{file}: bytes left over");
        let fields: Arc<[Field]> = fields_of(reply).into();
        block.with_fields(fields).unwrap();
        check_header(file, &frame["decoded"]["block"], &block);
        blocks.push(Recorded {
            file: file.to_owned(),
            connection,
            id,
            subscription,
            fields: reply["fields_names"].as_array().unwrap().clone(),
            types: reply["fields_types"].as_array().unwrap().clone(),
            block,
        });
    }
    blocks
}

/// The header as the recording's own index decoded it.
fn check_header(file: &str, header: &Json, block: &RawBlock) {
    if header.is_null() {
        return;
    }
    assert_eq!(header["rows"], json!(block.nrows()), "{file}");
    assert_eq!(header["columns"], json!(block.ncols()), "{file}");
    assert_eq!(
        header["length"],
        json!(block.as_raw_bytes().len()),
        "{file}"
    );
    for (column, schema) in header["cols"]
        .as_array()
        .unwrap()
        .iter()
        .zip(block.schemas())
    {
        assert_eq!(column["code"], json!(schema.ty.as_u8()), "{file}");
        if !schema.ty.is_decimal() {
            assert_eq!(column["bytes"], json!(schema.len), "{file}");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A cell in the notation of `expected.json`.
fn cell(value: &BorrowedValue<'_>) -> Json {
    match value {
        BorrowedValue::Json(text) => {
            json!({"json_text": std::str::from_utf8(text).unwrap()})
        }
        BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v) => {
            json!({"decimal": v.to_string()})
        }
        BorrowedValue::VarBinary(v)
        | BorrowedValue::Geometry(v)
        | BorrowedValue::Blob(v)
        | BorrowedValue::MediumBlob(v) => json!({"hex": hex(v)}),
        other => other.to_json_value(),
    }
}

fn rows_of(block: &RawBlock) -> Vec<Json> {
    block
        .rows()
        .map(|row| row.map(|(_, value)| cell(&value)).collect())
        .collect()
}

/// A decoded result or part of one that an expectation may mean.
struct Candidate {
    fields: Vec<Json>,
    types: Vec<Json>,
    precision: u8,
    blocks: Vec<usize>,
    rows: Vec<Json>,
}

impl Candidate {
    fn new(recorded: &Recorded) -> Self {
        Self {
            fields: recorded.fields.clone(),
            types: recorded.types.clone(),
            precision: recorded.block.precision().as_u8(),
            blocks: vec![recorded.block.nrows()],
            rows: rows_of(&recorded.block),
        }
    }

    fn append(&mut self, recorded: &Recorded) {
        self.blocks.push(recorded.block.nrows());
        self.rows.extend(rows_of(&recorded.block));
    }

    fn is_meant_by(&self, expected: &Json) -> bool {
        let same = |key: &str, own: Json| expected.get(key).is_none_or(|value| *value == own);
        same("fields", json!(self.fields))
            && same("types", json!(self.types))
            && same("precision", json!(self.precision))
            && same("blocks", json!(self.blocks))
            && same("row_count", json!(self.rows.len()))
            && same("rows", json!(self.rows))
    }
}

/// Results put together from their blocks; of subscriptions also each block and each topic.
fn candidates(recorded: &[Recorded]) -> Vec<Candidate> {
    let mut out: Vec<Candidate> = Vec::new();
    let mut last: Option<(u64, u64)> = None;
    for block in recorded {
        let key = (block.connection, block.id);
        match out.last_mut() {
            Some(result) if last == Some(key) && !block.subscription => result.append(block),
            _ => out.push(Candidate::new(block)),
        }
        last = Some(key);
    }
    let mut topics: Vec<Candidate> = Vec::new();
    for block in recorded.iter().filter(|block| block.subscription) {
        match topics.iter_mut().find(|topic| topic.fields == block.fields) {
            Some(topic) => topic.append(block),
            None => topics.push(Candidate::new(block)),
        }
    }
    out.extend(topics);
    out
}

/// Everything in `expected.json` that tells rows.
fn expectations(name: &str, value: &Json, out: &mut Vec<(String, Json)>) {
    match value {
        // A result without rows sends no block.
        Json::Object(map) if map.get("row_count") == Some(&json!(0)) => {}
        Json::Object(map) if map.contains_key("fields") => {
            out.push((name.to_owned(), value.clone()));
        }
        Json::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| *key != "meta") {
                expectations(&format!("{name}/{key}"), value, out);
            }
        }
        Json::Array(rows) if name.ends_with("rows") || name.ends_with("rows_first_message") => {
            out.push((name.to_owned(), json!({"rows": rows})));
        }
        Json::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                expectations(&format!("{name}/{index}"), value, out);
            }
        }
        _ => {}
    }
}

fn scenarios() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("index.json").exists())
        .collect();
    folders.sort();
    folders
}

#[test]
fn every_recorded_block_decodes_to_the_values_named() {
    let (mut blocks, mut named) = (0, 0);
    for folder in scenarios() {
        let recorded = blocks_of(&folder);
        blocks += recorded.len();
        let candidates = candidates(&recorded);
        let mut expected = Vec::new();
        if let Some(file) = read_json(&folder.join("expected.json")) {
            let title = folder.file_name().unwrap().to_string_lossy().into_owned();
            expectations(&title, &file, &mut expected);
        }
        for (name, expected) in &expected {
            named += 1;
            assert!(
                candidates.iter().any(|c| c.is_meant_by(expected)),
                "no recorded result has the values of {name}: {expected}\nrecorded: {}",
                candidates
                    .iter()
                    .filter(|c| expected.get("fields").is_none_or(|f| *f == json!(c.fields)))
                    .map(|c| json!([c.fields, c.types, c.precision, c.blocks, c.rows]).to_string())
                    .collect::<Vec<_>>()
                    .join("\n")
            );
        }
    }
    assert!(
        blocks >= 60 && named >= 40,
        "{blocks} blocks, {named} named results"
    );
}

/// The type and bytes of a raw message (taosadapter-ws §11.5, §11.6), `None` of a refusal.
fn unwrap_message(action: &str, frame: &Bytes) -> Option<(u64, u16, Bytes)> {
    let u16_at = |at: usize| u16::from_le_bytes(frame[at..at + 2].try_into().unwrap());
    let u32_at = |at: usize| u32::from_le_bytes(frame[at..at + 4].try_into().unwrap());
    if action == "fetch_raw" {
        return Some((u64_at(frame, 16), u16_at(36), frame.slice(38..)));
    }
    let id = 42 + usize::try_from(u32_at(38)).unwrap();
    let raw_type = id + 8;
    (u32_at(34) == 0).then(|| {
        let raw = frame.slice(raw_type + 6..);
        (u64_at(frame, id), u16_at(raw_type), raw)
    })
}

/// The messages of rows of a scenario, which re-encode to the same bytes: type, and blocks.
fn messages_of(folder: &Path) -> Vec<(u16, Vec<Recorded>)> {
    let index = read_json(&folder.join("index.json")).unwrap();
    let mut messages = Vec::new();
    for frame in index["frames"].as_array().unwrap() {
        let file = frame["file"].as_str().unwrap_or_default();
        let action = frame["action"].as_str().unwrap_or_default();
        let raw = matches!(action, "fetch_raw" | "fetch_raw_data");
        if !raw || frame["direction"] != "s2c" || frame["kind"] != "binary" {
            continue;
        }
        let bytes = Bytes::from(fs::read(folder.join(file)).unwrap());
        let Some((id, raw_type, raw)) = unwrap_message(action, &bytes) else {
            continue;
        };
        let message = match DataMessage::decode(raw_type, &raw) {
            Ok(message) => message,
            Err(error) => {
                assert!(!matches!(raw_type, 2 | 4), "{file}: {error}");
                continue;
            }
        };
        assert_eq!(message.encode(raw_type), raw, "{file}");
        assert!(message.begin.version() < message.end.version(), "{file}");
        assert_eq!(message.creates.is_empty(), raw_type == 2, "{file}");
        let blocks = message.entries.iter().map(|entry| {
            let block = entry.open().unwrap();
            Recorded {
                file: file.to_owned(),
                connection: frame["connection"].as_u64().unwrap(),
                id,
                subscription: true,
                fields: block.field_names().map(|name| json!(name)).collect(),
                types: entry.column_types().unwrap().map(|id| json!(id)).collect(),
                block,
            }
        });
        messages.push((raw_type, blocks.collect()));
    }
    messages
}

#[test]
fn recorded_data_messages_decode_to_the_values_named_and_encode_to_their_bytes() {
    let (mut plain, mut with_tables) = (0, 0);
    for (scenario, parts) in [
        // The first message of this one was taken block by block only.
        ("14-tmq-data", &["second_message_blocks"][..]),
        ("16-tmq-db-meta", &["messages"]),
        ("21-tmq-types", &["golden_typetopic", "golden_blobtopic"]),
    ] {
        let folder = root().join(scenario);
        let messages = messages_of(&folder);
        plain += messages.iter().filter(|(ty, _)| *ty == 2).count();
        with_tables += messages.iter().filter(|(ty, _)| *ty == 4).count();
        let blocks: Vec<Recorded> = messages
            .into_iter()
            .flat_map(|(_, blocks)| blocks)
            .collect();
        let candidates = candidates(&blocks);
        let expected = read_json(&folder.join("expected.json")).unwrap();
        for part in parts {
            let mut meant = Vec::new();
            expectations(part, &expected[*part], &mut meant);
            assert!(!meant.is_empty(), "{scenario}/{part}");
            for (name, one) in &meant {
                let found = candidates.iter().any(|c| c.is_meant_by(one));
                assert!(
                    found,
                    "no message of {scenario} has the values of {name}: {one}"
                );
            }
        }
    }
    assert_eq!((plain, with_tables), (5, 2));
}

#[test]
fn a_message_describes_its_blocks_as_fetch_and_fetch_block_do() {
    let mut same = 0;
    for scenario in ["14-tmq-data", "16-tmq-db-meta", "21-tmq-types"] {
        let folder = root().join(scenario);
        let fetched = blocks_of(&folder);
        for (_, blocks) in messages_of(&folder) {
            for (at, block) in blocks.iter().enumerate() {
                let key = (block.connection, block.id);
                let one = fetched
                    .iter()
                    .filter(|b| (b.connection, b.id) == key)
                    .nth(at);
                let Some(one) = one else { continue };
                let (own, other) = (&block.block, &one.block);
                assert_eq!(own.as_raw_bytes(), other.as_raw_bytes(), "{}", block.file);
                assert_eq!(own.fields(), other.fields(), "{}", block.file);
                assert_eq!(own.precision(), other.precision(), "{}", block.file);
                same += 1;
            }
        }
    }
    assert!(same >= 9, "{same}");
}

#[test]
fn ten_thousand_recorded_rows_follow_their_formula() {
    let recorded = blocks_of(&root().join("08-multi-block"));
    let rows = candidates(&recorded).remove(0).rows;
    assert_eq!(rows.len(), 10_000);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(
            row[0],
            json!(1_700_000_000_000_u64 + u64::try_from(i).unwrap())
        );
        assert!(
            row[1] == json!(i) || (row[1].is_null() && i % 97 == 0),
            "{i}: {row}"
        );
        let text = if i % 5 == 0 {
            String::new()
        } else {
            format!("r{i}")
        };
        assert_eq!(row[2], json!(text), "{i}");
    }
}

/// Small blocks of every kind of column; the large ones repeat them.
fn small_blocks() -> Vec<(String, Vec<u8>)> {
    let mut seen = Vec::new();
    for folder in scenarios() {
        for recorded in blocks_of(&folder) {
            let bytes = recorded.block.as_raw_bytes().to_vec();
            if bytes.len() < 1_000 && !seen.iter().any(|(_, other)| *other == bytes) {
                seen.push((recorded.file, bytes));
            }
        }
    }
    assert!(seen.len() >= 20);
    seen
}

#[test]
fn a_block_cut_at_any_byte_is_refused() {
    for (file, bytes) in small_blocks() {
        // Only the trailing fill byte may be missing, as in old servers (raw-block §6).
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            let parsed = RawBlock::parse_from_raw_block(cut.to_vec(), Precision::Millisecond);
            assert!(parsed.is_err(), "{file} cut at {end}");
            if end >= 8 {
                let mut told = cut.to_vec();
                told[4..8].copy_from_slice(&i32::try_from(end).unwrap().to_le_bytes());
                let parsed = RawBlock::parse_from_raw_block(told, Precision::Millisecond);
                assert_eq!(
                    parsed.is_ok(),
                    end + 1 == bytes.len(),
                    "{file} cut at {end}"
                );
            }
        }
    }
}

#[test]
fn a_block_with_any_byte_changed_never_panics() {
    for (_, bytes) in small_blocks() {
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                fuzz_raw_block(&bytes);
            }
        }
    }
}
