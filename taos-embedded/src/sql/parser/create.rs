use super::{Parser, duration_of};
use crate::sql::SqlError;
use crate::sql::ast::{
    AlterAction, AlterDatabase, AlterTable, ColumnDef, CreateDatabase, CreateSubtable, CreateTable,
    CreateTopic, DropConsumerGroup, DropDatabase, DropNamed, DropTable, OptionValue, SqlOption,
    Statement, TopicSource,
};
use crate::sql::lexer::Kind;

impl Parser<'_> {
    pub(super) fn create_statement(&mut self) -> Result<Statement, SqlError> {
        self.advance();
        let word = self.word().to_ascii_lowercase();
        match word.as_str() {
            "database" => {
                self.advance();
                let if_not_exists = self.if_not_exists()?;
                let name = self.ident()?;
                let options = self.options()?;
                Ok(Statement::CreateDatabase(CreateDatabase {
                    if_not_exists,
                    name,
                    options,
                }))
            }
            "table" => {
                self.advance();
                self.create_table(false)
            }
            "stable" => {
                self.advance();
                self.create_table(true)
            }
            "topic" => {
                self.advance();
                self.create_topic()
            }
            "user" => {
                self.advance();
                self.create_user()
            }
            _ => self.other_object("CREATE", &word),
        }
    }

    /// Objects this server knows by name only.
    fn other_object(&mut self, verb: &str, word: &str) -> Result<Statement, SqlError> {
        match word {
            "stream" | "function" | "aggregate" | "dnode" | "mnode" | "qnode" | "snode"
            | "bnode" | "index" | "sma" | "tsma" | "recursive" | "view" | "or" | "consumer"
            | "encrypt_key" | "anode" | "fulltext" | "vtable" | "mount" | "rsma" | "cluster"
            | "all" | "local" | "user" | "vgroup" | "role" | "token" | "xnode" => {
                while !matches!(self.token.kind, Kind::End | Kind::Semicolon) {
                    self.advance();
                }
                Ok(Statement::Other(format!(
                    "{verb} {}",
                    word.to_ascii_uppercase()
                )))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn create_table(&mut self, stable: bool) -> Result<Statement, SqlError> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name()?;
        if !stable && self.accept_word("using") {
            return self.create_subtables(if_not_exists, name);
        }
        let columns = self.column_defs()?;
        let mut tags = None;
        if stable || self.is_word("tags") {
            self.expect_word("tags")?;
            tags = Some(self.column_defs()?);
        }
        let options = self.options()?;
        Ok(Statement::CreateTable(CreateTable {
            stable,
            if_not_exists,
            name,
            columns,
            tags,
            options,
        }))
    }

    fn create_subtables(
        &mut self,
        if_not_exists: bool,
        name: crate::sql::ast::ObjectName,
    ) -> Result<Statement, SqlError> {
        let using = self.using()?;
        let options = self.subtable_options()?;
        let mut tables = vec![CreateSubtable {
            if_not_exists,
            name,
            using,
            options,
        }];
        while !matches!(self.token.kind, Kind::End | Kind::Semicolon) {
            let if_not_exists = self.if_not_exists()?;
            let name = self.object_name()?;
            self.expect_word("using")?;
            let using = self.using()?;
            let options = self.subtable_options()?;
            tables.push(CreateSubtable {
                if_not_exists,
                name,
                using,
                options,
            });
        }
        Ok(Statement::CreateSubtables(tables))
    }

    /// COMMENT and TTL only, since the next subtable's name may follow.
    fn subtable_options(&mut self) -> Result<Vec<SqlOption>, SqlError> {
        let mut options = Vec::new();
        while self.is_word("comment") || self.is_word("ttl") {
            options.push(self.option()?);
        }
        Ok(options)
    }

    fn column_defs(&mut self) -> Result<Vec<ColumnDef>, SqlError> {
        self.expect(Kind::LParen)?;
        let mut defs = vec![self.column_def()?];
        while self.accept(Kind::Comma) {
            defs.push(self.column_def()?);
        }
        self.expect(Kind::RParen)?;
        Ok(defs)
    }

    fn column_def(&mut self) -> Result<ColumnDef, SqlError> {
        let name = self.ident()?;
        let data_type = self.data_type(false)?;
        let mut composite_key = false;
        let mut options = Vec::new();
        loop {
            if self.is_word("primary") || self.is_word("composite") {
                self.advance();
                self.expect_word("key")?;
                composite_key = true;
            } else if matches!(
                self.word().to_ascii_lowercase().as_str(),
                "encode" | "compress" | "level" | "comment"
            ) {
                options.push(self.column_option()?);
            } else {
                break;
            }
        }
        Ok(ColumnDef {
            name,
            data_type,
            composite_key,
            options,
        })
    }

    /// One value: behind a comma comes the next column.
    fn column_option(&mut self) -> Result<SqlOption, SqlError> {
        let start = self.token.span.start;
        let name = self.word().to_ascii_lowercase();
        self.expect(Kind::Word)?;
        let values = vec![self.option_value()?];
        Ok(SqlOption {
            name,
            values,
            span: self.span_from(start),
        })
    }

    /// Options up to the end of the statement.
    fn options(&mut self) -> Result<Vec<SqlOption>, SqlError> {
        let mut options = Vec::new();
        while self.token.kind == Kind::Word {
            options.push(self.option()?);
        }
        Ok(options)
    }

    fn option(&mut self) -> Result<SqlOption, SqlError> {
        let start = self.token.span.start;
        let name = self.word().to_ascii_lowercase();
        self.expect(Kind::Word)?;
        let parenthesised = self.accept(Kind::LParen);
        let mut values = vec![self.option_value()?];
        while self.accept(Kind::Comma) {
            values.push(self.option_value()?);
        }
        if parenthesised {
            self.expect(Kind::RParen)?;
        }
        Ok(SqlOption {
            name,
            values,
            span: self.span_from(start),
        })
    }

    fn option_value(&mut self) -> Result<OptionValue, SqlError> {
        let negative = self.accept(Kind::Minus);
        let sign: i64 = if negative { -1 } else { 1 };
        let text = self.here().of(self.sql);
        let value = match self.token.kind {
            Kind::Integer => {
                OptionValue::Integer(text.parse::<i64>().map_err(|_| self.unexpected())? * sign)
            }
            Kind::Float => {
                let number: f64 = text.parse().map_err(|_| self.unexpected())?;
                OptionValue::Float(if negative { -number } else { number })
            }
            Kind::Duration => {
                let mut duration = duration_of(text).ok_or_else(|| self.unexpected())?;
                duration.value *= sign;
                OptionValue::Duration(duration)
            }
            Kind::Text => OptionValue::Text(self.peek_text().unwrap_or_default()),
            Kind::Word => OptionValue::Word(text.to_ascii_lowercase()),
            Kind::Quoted => OptionValue::Word(text.trim_matches('`').to_owned()),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(value)
    }

    fn create_topic(&mut self) -> Result<Statement, SqlError> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.ident()?;
        let mut with_meta = false;
        if self.is_word("only") {
            return Err(SqlError::unsupported("topics of meta only"));
        }
        if self.accept_word("with") {
            self.expect_word("meta")?;
            with_meta = true;
        }
        self.expect_word("as")?;
        let start = self.token.span.start;
        let source = if self.accept_word("database") {
            TopicSource::Database(self.ident()?)
        } else if self.accept_word("stable") {
            let table = self.object_name()?;
            TopicSource::Stable(table, self.filter_clause()?)
        } else if with_meta {
            // a query carries rows alone
            return Err(self.unexpected());
        } else {
            TopicSource::Query(Box::new(self.query()?))
        };
        Ok(Statement::CreateTopic(CreateTopic {
            if_not_exists,
            name,
            with_meta,
            source,
            source_span: self.span_from(start),
        }))
    }

    pub(super) fn drop_statement(&mut self) -> Result<Statement, SqlError> {
        self.advance();
        let word = self.word().to_ascii_lowercase();
        match word.as_str() {
            "database" => {
                self.advance();
                let if_exists = self.if_exists()?;
                let name = self.ident()?;
                self.accept_word("force");
                Ok(Statement::DropDatabase(DropDatabase { if_exists, name }))
            }
            "table" | "stable" => {
                self.advance();
                self.accept_word("with");
                let mut items = vec![(self.if_exists()?, self.object_name()?)];
                while self.accept(Kind::Comma) {
                    items.push((self.if_exists()?, self.object_name()?));
                }
                Ok(Statement::DropTable(DropTable {
                    stable: word == "stable",
                    items,
                }))
            }
            "topic" => {
                self.advance();
                self.drop_named().map(Statement::DropTopic)
            }
            "consumer" => {
                self.advance();
                self.expect_word("group")?;
                let group = self.drop_named()?;
                self.expect_word("on")?;
                Ok(Statement::DropConsumerGroup(DropConsumerGroup {
                    if_exists: group.if_exists,
                    force: group.force,
                    group: group.name,
                    topic: self.ident()?,
                }))
            }
            "user" => {
                self.advance();
                self.drop_named().map(Statement::DropUser)
            }
            "function" => {
                self.advance();
                self.drop_named().map(Statement::DropFunction)
            }
            _ => self.other_object("DROP", &word),
        }
    }

    fn drop_named(&mut self) -> Result<DropNamed, SqlError> {
        let if_exists = self.if_exists()?;
        let force = self.accept_word("force");
        let name = self.ident()?;
        Ok(DropNamed {
            if_exists,
            force,
            name,
        })
    }

    pub(super) fn alter_statement(&mut self) -> Result<Statement, SqlError> {
        self.advance();
        let word = self.word().to_ascii_lowercase();
        match word.as_str() {
            "database" => {
                self.advance();
                let name = self.ident()?;
                if self.token.kind != Kind::Word {
                    return Err(self.unexpected());
                }
                let options = self.options()?;
                Ok(Statement::AlterDatabase(AlterDatabase { name, options }))
            }
            "table" | "stable" => {
                self.advance();
                let name = self.object_name()?;
                let action = self.alter_action()?;
                Ok(Statement::AlterTable(AlterTable {
                    stable: word == "stable",
                    name,
                    action,
                }))
            }
            "user" => {
                self.advance();
                self.alter_user()
            }
            _ => self.other_object("ALTER", &word),
        }
    }

    fn alter_action(&mut self) -> Result<AlterAction, SqlError> {
        let verb = self.word().to_ascii_lowercase();
        if !matches!(verb.as_str(), "add" | "drop" | "modify" | "rename" | "set") {
            if self.token.kind != Kind::Word {
                return Err(self.unexpected());
            }
            return self.options().map(AlterAction::Options);
        }
        self.advance();
        let tag = self.accept_word("tag");
        if !tag {
            self.expect_word("column")?;
        }
        match verb.as_str() {
            "add" if tag => self.column_def().map(AlterAction::AddTag),
            "add" => self.column_def().map(AlterAction::AddColumn),
            "drop" if tag => self.ident().map(AlterAction::DropTag),
            "drop" => self.ident().map(AlterAction::DropColumn),
            "modify" => {
                let name = self.ident()?;
                if tag {
                    return Ok(AlterAction::ModifyTag(name, self.data_type(false)?));
                }
                if matches!(
                    self.word().to_ascii_lowercase().as_str(),
                    "encode" | "compress" | "level"
                ) {
                    return Ok(AlterAction::ModifyColumnOptions(name, self.options()?));
                }
                Ok(AlterAction::ModifyColumn(name, self.data_type(false)?))
            }
            "rename" => {
                let from = self.ident()?;
                let to = self.ident()?;
                Ok(if tag {
                    AlterAction::RenameTag(from, to)
                } else {
                    AlterAction::RenameColumn(from, to)
                })
            }
            _ if tag => self.set_tags(),
            _ => Err(self.unexpected()),
        }
    }

    fn set_tags(&mut self) -> Result<AlterAction, SqlError> {
        let mut tags = Vec::new();
        let mut times = Vec::new();
        loop {
            let name = self.ident()?;
            self.expect(Kind::Equal)?;
            tags.push((name, self.insert_value(&mut times)?));
            if !self.accept(Kind::Comma) {
                return Ok(AlterAction::SetTags { tags, times });
            }
        }
    }
}
