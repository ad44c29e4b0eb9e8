//! What is written here is counted and forgotten: statements, lines and SQL text
//! (taosadapter-ws §7–§9).

use std::collections::HashMap;

use super::blocks::Block;

/// As a server describes the table `meters` that the write cases use: name, type id, storage bytes.
const COLUMNS: [(&str, u8, u32); 6] = [
    ("ts", 9, 8),
    ("current", 6, 4),
    ("voltage", 4, 4),
    ("phase", 6, 4),
    ("power", 7, 8),
    ("energy", 5, 8),
];
const TAGS: [(&str, u8, u32); 2] = [("location", 8, 26), ("groupid", 4, 4)];

/// The rows bound to each statement of a client and not executed yet.
#[derive(Default)]
pub(super) struct Sink {
    statements: HashMap<u64, usize>,
    last_id: u64,
}

impl Sink {
    /// The members of the answer to a text action, `None` for one that is not about writing.
    pub(super) fn text(&mut self, action: &str, id: u64, sql: &str) -> Option<String> {
        Some(match action {
            "init" | "stmt2_init" => {
                self.last_id += 1;
                self.statements.insert(self.last_id, 0);
                format!(r#""stmt_id":{}"#, self.last_id)
            }
            "prepare" => format!(r#""stmt_id":{id},"is_insert":true"#),
            "stmt2_prepare" => {
                let (fields, count) = fields(sql);
                format!(
                    r#""stmt_id":{id},"is_insert":true,"fields":[{fields}],"fields_count":{count}"#
                )
            }
            "exec" | "stmt2_exec" => {
                let rows = self.statements.get_mut(&id).map_or(0, std::mem::take);
                format!(r#""stmt_id":{id},"affected":{rows}"#)
            }
            "set_table_name" | "set_tags" | "bind" | "add_batch" | "stmt2_close" => self.bound(id),
            _ => return None,
        })
    }

    fn bound(&self, id: u64) -> String {
        format!(r#""stmt_id":{id}"#)
    }

    /// Counts the rows of a first-generation bind, which is a raw block.
    pub(super) fn bind(&mut self, id: u64, block: &[u8]) -> String {
        self.add(id, number(block, 8))
    }

    /// Counts the rows of a second-generation bind: those of the first column of each table.
    pub(super) fn stmt2_bind(&mut self, id: u64, payload: &[u8]) -> String {
        let tables = number(payload, 4);
        let lengths = number(payload, 24);
        let mut at = lengths + 4 * tables;
        let mut rows = 0;
        for table in 0..tables {
            rows += number(payload, at + 8);
            at += number(payload, lengths + 4 * table);
        }
        self.add(id, rows)
    }

    fn add(&mut self, id: u64, rows: usize) -> String {
        if let Some(count) = self.statements.get_mut(&id) {
            *count += rows;
        }
        self.bound(id)
    }
}

/// The rows of an INSERT without lists of columns: each is in parentheses.
pub(super) fn rows_of_text(sql: &str) -> usize {
    sql.bytes().filter(|byte| *byte == b'(').count()
}

fn number(bytes: &[u8], at: usize) -> usize {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .and_then(|bytes| usize::try_from(u32::from_le_bytes(*bytes)).ok())
        .unwrap_or_default()
}

/// What each `?` stands for: table, tags and columns, or the columns of a table that is named.
fn fields(sql: &str) -> (String, usize) {
    let name = ("tbname", 8, 271, 4);
    let tags = TAGS.iter().map(|(name, ty, bytes)| (*name, *ty, *bytes, 2));
    let columns = COLUMNS
        .iter()
        .map(|(name, ty, bytes)| (*name, *ty, *bytes, 1));
    let named = !(sql.contains("tbname") || sql.contains("using"));
    let fields: Vec<String> = std::iter::once(name)
        .chain(tags)
        .filter(|_| !named)
        .chain(columns)
        .map(|(name, ty, bytes, bind)| {
            format!(
                r#"{{"name":"{name}","field_type":{ty},"precision":0,"scale":0,"bytes":{bytes},"bind_type":{bind}}}"#
            )
        })
        .collect();
    (fields.join(","), fields.len())
}

/// The answer to `describe meters`.
pub(super) fn description() -> Vec<u8> {
    const TYPES: [(u8, &str); 6] = [
        (9, "TIMESTAMP"),
        (6, "FLOAT"),
        (4, "INT"),
        (7, "DOUBLE"),
        (5, "BIGINT"),
        (8, "VARCHAR"),
    ];
    let lines: Vec<_> = COLUMNS
        .iter()
        .map(|column| (column, ""))
        .chain(TAGS.iter().map(|tag| (tag, "TAG")))
        .collect();
    let ty = |id: u8| {
        TYPES
            .iter()
            .find(|(known, _)| *known == id)
            .map_or("", |(_, name)| name)
    };
    let mut block = Block::new(lines.len());
    block.texts(64, lines.iter().map(|(line, _)| Some(line.0.to_owned())));
    block.texts(
        32,
        lines.iter().map(|(line, _)| Some(ty(line.1).to_owned())),
    );
    // A declared VARCHAR is two bytes shorter than its storage.
    let declared = |ty: u8, bytes: u32| if ty == 8 { bytes - 2 } else { bytes };
    block.fixed(
        4,
        4,
        lines
            .iter()
            .map(|(line, _)| Some(declared(line.1, line.2).to_le_bytes())),
    );
    block.texts(12, lines.iter().map(|(_, note)| Some((*note).to_owned())));
    block.finish()
}

/// The fields of [`description`].
pub(super) const DESCRIPTION: &str = r#""fields_count":4,"fields_names":["field","type","length","note"],"fields_types":[8,8,4,8],"fields_lengths":[64,32,4,12],"fields_precisions":[0,0,0,0],"fields_scales":[0,0,0,0]"#;
