use super::Parser;
use crate::sql::SqlError;
use crate::sql::ast::{Ident, ObjectName, SelectItemName, Show, Statement, SystemShow, TableKind};
use crate::sql::lexer::Kind;

/// The word behind SHOW, the table, and its only column that is shown.
const SYSTEM_TABLES: &[(&str, &str, Option<&str>)] = &[
    ("anodes", "ins_anodes", None),
    ("arbgroups", "ins_arbgroups", None),
    ("bnodes", "ins_bnodes", None),
    ("cluster", "ins_cluster", None),
    ("compacts", "ins_compacts", None),
    ("consumers", "perf_consumers", None),
    ("dnodes", "ins_dnodes", None),
    ("encryptions", "ins_encryptions", None),
    ("functions", "ins_functions", None),
    ("mnodes", "ins_mnodes", None),
    ("qnodes", "ins_qnodes", None),
    ("snodes", "ins_snodes", None),
    ("subscriptions", "ins_subscriptions", None),
    ("topics", "ins_topics", Some("topic_name")),
    ("transactions", "perf_trans", None),
    ("tsmas", "ins_tsmas", None),
    ("users", "ins_users", None),
    ("vgroups", "ins_vgroups", None),
    ("views", "ins_views", None),
    ("vnodes", "ins_vnodes", None),
];

const fn of_table(table: &'static str) -> SystemShow {
    SystemShow {
        table,
        column: None,
        of_database: false,
        db: None,
        of_table: None,
    }
}

const fn system(table: &'static str) -> Option<Show> {
    Some(Show::System(of_table(table)))
}

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
            _ => return self.show_other(word, db),
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
            "view" | "vtable" | "rsma" => Err(SqlError::unsupported(format!("show create {word}"))),
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

    /// SHOW of a system table's rows, of variables, and the forms that are known by their words only.
    fn show_other(&mut self, first: String, db: Option<Ident>) -> Result<Statement, SqlError> {
        let show =
            match first.as_str() {
                "alive" if db.is_some() => Some(Show::Alive(db)),
                "cluster" if self.accept_word("alive") => Some(Show::Alive(None)),
                "variables" => Some(Show::Variables(self.like()?)),
                "cluster" | "local" if self.is_word("variables") => {
                    self.advance();
                    Some(Show::Variables(self.like()?))
                }
                "dnode" if self.token.kind == Kind::Integer => {
                    self.advance();
                    self.expect_word("variables")?;
                    Some(Show::Variables(self.like()?))
                }
                "user" if self.is_word("privileges") => {
                    self.advance();
                    system("ins_user_privileges")
                }
                "indexes" => {
                    self.expect_word("from")?;
                    let table = self.table_from_db()?;
                    Some(Show::System(SystemShow {
                        of_database: true,
                        db: table.db,
                        of_table: Some(table.name),
                        ..of_table("ins_indexes")
                    }))
                }
                "vgroups" | "views" | "tsmas" => SYSTEM_TABLES
                    .iter()
                    .find(|(word, ..)| *word == first)
                    .map(|(_, table, column)| {
                        Show::System(SystemShow {
                            of_database: true,
                            db,
                            column: *column,
                            ..of_table(table)
                        })
                    }),
                "cluster" if self.token.kind == Kind::Word => None,
                _ if db.is_some() => None,
                _ => SYSTEM_TABLES.iter().find(|(word, ..)| *word == first).map(
                    |(_, table, column)| {
                        Show::System(SystemShow {
                            column: *column,
                            ..of_table(table)
                        })
                    },
                ),
            };
        match show {
            Some(show) => Ok(Statement::Show(show)),
            None => self.show_unknown(first),
        }
    }

    /// The forms that are known by their words only.
    fn show_unknown(&mut self, first: String) -> Result<Statement, SqlError> {
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
