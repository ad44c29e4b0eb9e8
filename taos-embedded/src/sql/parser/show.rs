use super::Parser;
use crate::sql::SqlError;
use crate::sql::ast::{Ident, ObjectName, SelectItemName, Show, Statement, TableKind};
use crate::sql::lexer::Kind;

impl Parser<'_> {
    pub(super) fn show_statement(&mut self) -> Result<Statement, SqlError> {
        self.advance();
        let mut db = None;
        if self.peek().kind == Kind::Dot {
            db = Some(self.ident()?);
            self.advance();
        }
        let word = self.word().to_ascii_lowercase();
        let token_is_word = self.token.kind == Kind::Word;
        if !token_is_word {
            return Err(self.unexpected());
        }
        self.advance();
        let show = match word.as_str() {
            "databases" => Show::Databases { kind: None },
            "user" | "system" if self.is_word("databases") => {
                self.advance();
                Show::Databases { kind: Some(word) }
            }
            "tables" => self.show_tables(TableKind::All, db)?,
            "normal" | "child" => {
                if self.peek().kind == Kind::Dot {
                    db = Some(self.ident()?);
                    self.advance();
                }
                self.expect_word("tables")?;
                let kind = if word == "normal" {
                    TableKind::Normal
                } else {
                    TableKind::Child
                };
                self.show_tables(kind, db)?
            }
            "stables" => Show::Stables {
                db,
                like: self.like()?,
            },
            "create" => self.show_create()?,
            "tags" => {
                self.expect_word("from")?;
                Show::Tags(self.table_from_db()?)
            }
            "table" if self.is_word("tags") => self.show_table_tags()?,
            _ => return self.show_other(word),
        };
        Ok(Statement::Show(show))
    }

    fn show_tables(&mut self, kind: TableKind, db: Option<Ident>) -> Result<Show, SqlError> {
        Ok(Show::Tables {
            kind,
            db,
            like: self.like()?,
        })
    }

    fn like(&mut self) -> Result<Option<String>, SqlError> {
        if self.accept_word("like") {
            return self.text().map(Some);
        }
        Ok(None)
    }

    fn show_create(&mut self) -> Result<Show, SqlError> {
        let word = self.word().to_ascii_lowercase();
        match word.as_str() {
            "database" => {
                self.advance();
                self.ident().map(Show::CreateDatabase)
            }
            "table" => {
                self.advance();
                self.object_name().map(Show::CreateTable)
            }
            "stable" => {
                self.advance();
                self.object_name().map(Show::CreateStable)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// `table [FROM db]`.
    fn table_from_db(&mut self) -> Result<ObjectName, SqlError> {
        let mut table = self.object_name()?;
        if self.accept_word("from") {
            table.db = Some(self.ident()?);
        }
        Ok(table)
    }

    fn show_table_tags(&mut self) -> Result<Show, SqlError> {
        self.advance();
        let mut columns = Vec::new();
        while !self.is_word("from") {
            if !columns.is_empty() {
                self.expect(Kind::Comma)?;
            }
            let name = self.ident()?;
            let mut alias = None;
            if self.accept_word("as") || self.is_name() {
                alias = Some(self.ident()?);
            }
            columns.push(SelectItemName { name, alias });
        }
        self.advance();
        let table = self.table_from_db()?;
        Ok(Show::TableTags { columns, table })
    }

    /// The forms that are known by their words only.
    fn show_other(&mut self, first: String) -> Result<Statement, SqlError> {
        const KNOWN: &[&str] = &[
            "accounts",
            "anodes",
            "apps",
            "bnodes",
            "cluster",
            "compact",
            "compacts",
            "connections",
            "consumers",
            "dnode",
            "dnodes",
            "encryptions",
            "filesets",
            "full",
            "functions",
            "grants",
            "indexes",
            "licences",
            "local",
            "logs",
            "mnodes",
            "mounts",
            "qnodes",
            "queries",
            "retentions",
            "rsmas",
            "scores",
            "snodes",
            "streams",
            "subscriptions",
            "table",
            "topics",
            "transaction",
            "transactions",
            "tsmas",
            "user",
            "users",
            "variables",
            "vgroups",
            "views",
            "virtual",
            "vnodes",
            "vtable",
            "vtables",
            "arbgroups",
            "disk_info",
        ];
        if !KNOWN.contains(&first.as_str()) {
            return Err(SqlError::syntax(&first));
        }
        let mut words = first;
        while !matches!(self.token.kind, Kind::End | Kind::Semicolon) {
            if self.token.kind == Kind::Word {
                words.push(' ');
                words.push_str(&self.word().to_ascii_lowercase());
            }
            self.advance();
            if self.token.kind == Kind::Bad {
                return Err(self.unexpected());
            }
        }
        Ok(Statement::Show(Show::Other(words)))
    }
}
