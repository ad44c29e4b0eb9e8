//! Writing messages, in the form of release 3.3.7.

use bytes::Bytes;

use super::out::Out;
use super::{
    ALTER_SUPER, ALTER_TABLE, Action, Alter, CREATE_SUPER, CREATE_TABLES, Compression, DELETE,
    DROP_SUPER, DROP_TABLES, Deletion, Meta, NewKind, NewTable, Schema, SuperTable, TagSetting,
};

impl Meta {
    /// The number that tells what kind of message it is.
    pub(crate) const fn raw_type(&self) -> u16 {
        match self {
            Self::CreateSuper(_) => CREATE_SUPER,
            Self::AlterSuper(_) => ALTER_SUPER,
            Self::DropSuper { .. } => DROP_SUPER,
            Self::CreateTables { .. } => CREATE_TABLES,
            Self::AlterTable(_) => ALTER_TABLE,
            Self::DropTables(_) => DROP_TABLES,
            Self::Delete(_) => DELETE,
        }
    }

    /// The message as a topic of this vgroup carries it; `None` if its tags are too long.
    pub(crate) fn encode(&self, vgroup: i32) -> Option<Bytes> {
        let mut body = Out::default();
        match self {
            Self::CreateSuper(table) | Self::AlterSuper(table) => super_table(&mut body, table),
            Self::DropSuper { name, uid } => body.part(|out| {
                out.text(name);
                out.i64(*uid);
            }),
            Self::CreateTables { tables, source } => {
                let all: Option<Vec<Bytes>> = tables.iter().map(NewTable::encode).collect();
                let all = all?;
                body.part(|out| {
                    out.count(all.len());
                    all.iter().for_each(|one| out.raw(one));
                    out.u8(*source);
                });
            }
            Self::AlterTable(change) => alter(&mut body, change),
            Self::DropTables(tables) => body.part(|out| {
                out.count(tables.len());
                for table in tables {
                    out.part(|out| {
                        out.text(&table.name);
                        out.i64(table.super_uid);
                        out.i64(table.uid);
                        out.u8(table.if_exists);
                        out.u8(0);
                    });
                }
            }),
            Self::Delete(rows) => deletion(&mut body, rows),
        }
        let mut out = Out::default();
        out.length(body.0.len() + 8);
        out.i32(vgroup);
        out.raw(&body.0);
        Some(out.0.into())
    }
}

fn schema(out: &mut Out, schema: &Schema) {
    out.count(schema.columns.len());
    out.zigzag(schema.version.into());
    for column in &schema.columns {
        out.u8(column.ty);
        out.u8(column.flags);
        out.zigzag(column.bytes.into());
        out.zigzag(column.id.into());
        out.text(&column.name);
    }
}

fn compression(out: &mut Out, compression: &Compression) {
    out.count(compression.columns.len());
    out.zigzag(compression.version.into());
    for (id, form) in &compression.columns {
        out.zigzag((*id).into());
        out.raw(&form.to_le_bytes());
    }
}

fn digits(out: &mut Out, digits: Option<&[i32]>) {
    out.u8(digits.is_some().into());
    for one in digits.unwrap_or_default() {
        out.zigzag((*one).into());
    }
}

fn super_table(out: &mut Out, table: &SuperTable) {
    out.part(|out| {
        out.text(&table.name);
        out.i64(table.uid);
        out.u8(0); // no roll-up
        schema(out, &table.columns);
        schema(out, &table.tags);
        let mut change = Out::default();
        if let Some(asked) = &table.change {
            change.part(|out| {
                out.text(&asked.full_name);
                out.u8(asked.kind);
                out.length(asked.fields.len());
                for field in &asked.fields {
                    out.u8(field.ty);
                    out.i32(field.bytes);
                    out.text(&field.name);
                    if let Some(form) = field.compression {
                        out.raw(&form.to_le_bytes());
                    }
                }
                out.raw(&asked.rest);
            });
        }
        out.length(change.0.len());
        if !change.0.is_empty() {
            out.binary(&change.0);
        }
        out.u8(table.source);
        out.u8(table.is_compressed);
        compression(out, &table.compression);
        out.i64(table.keep);
        digits(out, table.digits.as_deref());
        out.u8(0); // not virtual
    });
}

impl NewTable {
    /// The table alone, as data messages carry it; `None` if its tags are too long.
    pub(crate) fn encode(&self) -> Option<Bytes> {
        let tags = match &self.kind {
            NewKind::Child { tags, .. } => tags.encode()?,
            NewKind::Normal { .. } => Vec::new(),
        };
        let mut out = Out::default();
        out.part(|out| self.fill(out, &tags));
        Some(out.0.into())
    }

    fn fill(&self, out: &mut Out, tags: &[u8]) {
        out.zigzag(self.flags.into());
        out.text(&self.name);
        out.i64(self.uid);
        out.i64(self.created);
        out.i32(self.ttl);
        out.u8(match self.kind {
            NewKind::Child { .. } => 2,
            NewKind::Normal { .. } => 3,
        });
        match self.comment.as_deref() {
            None => out.i32(-1),
            Some("") => out.i32(0),
            Some(comment) => {
                out.length(comment.len());
                out.text(comment);
            }
        }
        match &self.kind {
            NewKind::Child {
                stable,
                tag_count,
                super_uid,
                names,
                ..
            } => {
                out.text(stable);
                out.u8(*tag_count);
                out.i64(*super_uid);
                out.binary(tags);
                out.length(names.len());
                names.iter().for_each(|name| out.text(name));
            }
            NewKind::Normal { columns, .. } => schema(out, columns),
        }
        out.length(self.sql.len());
        if !self.sql.is_empty() {
            out.binary(&self.sql);
        }
        match &self.kind {
            NewKind::Child { .. } => out.u8(0),
            NewKind::Normal {
                compression: forms,
                digits: all,
                ..
            } => {
                compression(out, forms);
                digits(out, all.as_deref());
            }
        }
    }
}

fn alter(out: &mut Out, change: &Alter) {
    out.part(|out| {
        out.text(&change.table);
        out.u8(match &change.action {
            Action::SetTag(_) => 4,
            Action::AddColumn {
                compression: None, ..
            } => 5,
            Action::DropColumn(_) => 6,
            Action::Widen { .. } => 7,
            Action::Options { .. } => 9,
            Action::Rename(..) => 10,
            Action::Compress(..) => 13,
            Action::AddColumn { .. } => 14,
            Action::SetTags(_) => 15,
        });
        out.i32(change.column_id);
        action(out, &change.action);
        out.i64(change.changed);
        out.u8(change.source);
        if let Action::AddColumn { digits, .. } = &change.action {
            out.i32(*digits);
        }
    });
}

fn action(out: &mut Out, action: &Action) {
    match action {
        Action::AddColumn {
            name,
            ty,
            flags,
            bytes,
            compression,
            ..
        } => {
            out.text(name);
            out.u8(*ty);
            out.u8(*flags);
            out.zigzag((*bytes).into());
            if let Some(form) = compression {
                out.raw(&form.to_le_bytes());
            }
        }
        Action::DropColumn(name) => out.text(name),
        Action::Widen { name, ty, bytes } => {
            out.text(name);
            out.u8(*ty);
            out.zigzag((*bytes).into());
        }
        Action::Rename(from, to) => {
            out.text(from);
            out.text(to);
        }
        Action::SetTag(setting) => tag_setting(out, setting),
        Action::SetTags(settings) => {
            out.count(settings.len());
            for setting in settings {
                out.zigzag(setting.id.into());
                tag_setting(out, setting);
            }
        }
        Action::Options { ttl, comment } => {
            out.u8(ttl.is_some().into());
            if let Some(days) = ttl {
                out.zigzag((*days).into());
            }
            match comment.as_deref() {
                None => out.zigzag(-1),
                Some("") => out.zigzag(0),
                Some(comment) => {
                    out.count(comment.len());
                    out.text(comment);
                }
            }
        }
        Action::Compress(name, form) => {
            out.text(name);
            out.raw(&form.to_le_bytes());
        }
    }
}

fn tag_setting(out: &mut Out, setting: &TagSetting) {
    out.text(&setting.name);
    out.u8(setting.value.is_none().into());
    out.u8(setting.ty);
    if let Some(value) = &setting.value {
        out.binary(value);
    }
}

fn deletion(out: &mut Out, rows: &Deletion) {
    out.i64(rows.super_uid);
    out.count(rows.uids.len());
    rows.uids.iter().for_each(|uid| out.i64(*uid));
    out.i64(rows.range.0);
    out.i64(rows.range.1);
    out.zigzag(rows.affected);
    out.text(&rows.table);
    out.text(&rows.time_column);
    out.i64(rows.changed);
    out.u8(rows.source);
}
