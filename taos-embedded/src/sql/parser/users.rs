use super::Parser;
use crate::sql::SqlError;
use crate::sql::ast::{AlterUser, CreateUser, Password, Statement, UserRights};
use crate::sql::lexer::Kind;

impl Parser<'_> {
    pub(super) fn create_user(&mut self) -> Result<Statement, SqlError> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.ident()?;
        self.expect_word("pass")?;
        let password = Password(self.text()?);
        let mut rights = UserRights::default();
        while self.token.kind == Kind::Word {
            self.user_right(&mut rights)?;
        }
        Ok(Statement::CreateUser(CreateUser {
            if_not_exists,
            name,
            password,
            rights,
        }))
    }

    pub(super) fn alter_user(&mut self) -> Result<Statement, SqlError> {
        let name = self.ident()?;
        let (mut password, mut rights) = (None, UserRights::default());
        loop {
            if self.accept_word("pass") {
                password = Some(Password(self.text()?));
            } else {
                self.user_right(&mut rights)?;
            }
            if self.token.kind != Kind::Word {
                break;
            }
        }
        Ok(Statement::AlterUser(AlterUser {
            name,
            password,
            rights,
        }))
    }

    fn user_right(&mut self, rights: &mut UserRights) -> Result<(), SqlError> {
        let word = self.word().to_ascii_lowercase();
        let right = match word.as_str() {
            "enable" => &mut rights.enable,
            "sysinfo" => &mut rights.sysinfo,
            "createdb" => &mut rights.createdb,
            "host" | "add" | "drop" | "is_import" | "totpseed" | "allow_token_num" => {
                return Err(SqlError::unsupported(format!("option {word} of a user")));
            }
            _ => return Err(self.unexpected()),
        };
        self.advance();
        let at = self.token;
        *right = match self.integer()? {
            0 => Some(false),
            1 => Some(true),
            _ => return Err(SqlError::syntax(at.span.rest(self.sql))),
        };
        Ok(())
    }
}
