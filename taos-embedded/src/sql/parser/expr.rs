use super::{Parser, duration_of};
use crate::sql::SqlError;
use crate::sql::ast::{BinaryOp, DataType, Expr, ExprKind, FunctionForm, Ident, Span, UnaryOp};
use crate::sql::lexer::{Kind, unexpected};
use crate::sql::text::unquote;
use taos_query::common::Ty;

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const BITS: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;
const SIGN: u8 = 8;
const ARROW: u8 = 9;

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr, SqlError> {
        self.enter()?;
        let expr = self.expr_above(0);
        self.leave();
        expr
    }

    fn expr_above(&mut self, floor: u8) -> Result<Expr, SqlError> {
        let start = self.token.span.start;
        let mut left = self.prefix()?;
        let mut links = 0;
        while let Some(power) = self.infix_power().filter(|&power| power > floor) {
            if power == OR || power == AND {
                left = self.logical_chain(left, power)?;
                continue;
            }
            self.link(&mut links)?;
            let kind = self.infix(left, power)?;
            left = Expr {
                kind,
                span: self.span_from(start),
            };
        }
        Ok(left)
    }

    /// `a and b and c …` as a tree of little depth: generated conditions have thousands of parts.
    fn logical_chain(&mut self, first: Expr, power: u8) -> Result<Expr, SqlError> {
        let op = if power == OR {
            BinaryOp::Or
        } else {
            BinaryOp::And
        };
        self.condition(&first)?;
        let mut parts = vec![first];
        while self.infix_power() == Some(power) {
            self.advance();
            let part = self.boxed_above(power)?;
            self.condition(&part)?;
            parts.push(*part);
        }
        while parts.len() > 1 {
            let mut pairs = Vec::with_capacity(parts.len().div_ceil(2));
            let mut rest = parts.into_iter();
            while let Some(left) = rest.next() {
                pairs.push(match rest.next() {
                    Some(right) => Expr {
                        span: left.span.to(right.span),
                        kind: ExprKind::Binary(op, Box::new(left), Box::new(right)),
                    },
                    None => left,
                });
            }
            parts = pairs;
        }
        parts.pop().ok_or_else(|| self.unexpected())
    }

    /// A bare bool is a condition only alone (DIALECT §3): beside AND, OR and NOT something must be asked of it.
    fn condition(&self, expr: &Expr) -> Result<(), SqlError> {
        if is_condition(&expr.kind) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn boxed_above(&mut self, floor: u8) -> Result<Box<Expr>, SqlError> {
        self.enter()?;
        let expr = self.expr_above(floor).map(Box::new);
        self.leave();
        expr
    }

    /// How tightly the operator at the current token binds, if it is one.
    fn infix_power(&self) -> Option<u8> {
        Some(match self.token.kind {
            Kind::Equal
            | Kind::NotEqual
            | Kind::Less
            | Kind::LessEqual
            | Kind::Greater
            | Kind::GreaterEqual => COMPARE,
            Kind::Amp | Kind::Pipe => BITS,
            Kind::Plus | Kind::Minus => SUM,
            Kind::Star | Kind::Slash | Kind::Percent => PRODUCT,
            Kind::Arrow => ARROW,
            Kind::Word => match self.word().to_ascii_lowercase().as_str() {
                "or" => OR,
                "and" => AND,
                "is" | "in" | "between" | "like" | "match" | "nmatch" | "regexp" | "contains"
                | "not" => COMPARE,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn infix(&mut self, left: Expr, power: u8) -> Result<ExprKind, SqlError> {
        let token = self.advance();
        let op = match token.kind {
            Kind::Equal => BinaryOp::Equal,
            Kind::NotEqual => BinaryOp::NotEqual,
            Kind::Less => BinaryOp::Less,
            Kind::LessEqual => BinaryOp::LessEqual,
            Kind::Greater => BinaryOp::Greater,
            Kind::GreaterEqual => BinaryOp::GreaterEqual,
            Kind::Amp => BinaryOp::BitAnd,
            Kind::Pipe => BinaryOp::BitOr,
            Kind::Plus => BinaryOp::Add,
            Kind::Minus => BinaryOp::Subtract,
            Kind::Star => BinaryOp::Multiply,
            Kind::Slash => BinaryOp::Divide,
            Kind::Percent => BinaryOp::Remainder,
            Kind::Arrow => BinaryOp::Arrow,
            _ => match token.span.of(self.sql).to_ascii_lowercase().as_str() {
                "or" => BinaryOp::Or,
                "and" => BinaryOp::And,
                "contains" => BinaryOp::Contains,
                "like" => BinaryOp::Like,
                "match" | "regexp" => BinaryOp::Match,
                "nmatch" => BinaryOp::NotMatch,
                "not" => return self.negated_infix(left),
                "in" => return self.in_list(left, false),
                "between" => return self.between(left, false),
                _ => return self.is_null(left),
            },
        };
        let right = self.boxed_above(power)?;
        Ok(ExprKind::Binary(op, Box::new(left), right))
    }

    fn negated_infix(&mut self, left: Expr) -> Result<ExprKind, SqlError> {
        let op = match self.word().to_ascii_lowercase().as_str() {
            "in" => {
                self.advance();
                return self.in_list(left, true);
            }
            "between" => {
                self.advance();
                return self.between(left, true);
            }
            "like" => BinaryOp::NotLike,
            "match" | "regexp" => BinaryOp::NotMatch,
            _ => return Err(self.unexpected()),
        };
        self.advance();
        let right = self.boxed_above(COMPARE)?;
        Ok(ExprKind::Binary(op, Box::new(left), right))
    }

    fn is_null(&mut self, left: Expr) -> Result<ExprKind, SqlError> {
        let negated = self.accept_word("not");
        self.expect_word("null")?;
        Ok(ExprKind::IsNull {
            value: Box::new(left),
            negated,
        })
    }

    fn between(&mut self, left: Expr, negated: bool) -> Result<ExprKind, SqlError> {
        let low = self.boxed_above(COMPARE)?;
        self.expect_word("and")?;
        let high = self.boxed_above(COMPARE)?;
        Ok(ExprKind::Between {
            value: Box::new(left),
            low,
            high,
            negated,
        })
    }

    fn in_list(&mut self, left: Expr, negated: bool) -> Result<ExprKind, SqlError> {
        self.expect(Kind::LParen)?;
        let value = Box::new(left);
        if self.is_word("select") {
            let query = Box::new(self.query()?);
            self.expect(Kind::RParen)?;
            return Ok(ExprKind::InQuery {
                value,
                query,
                negated,
            });
        }
        let list = self.expr_list()?;
        self.expect(Kind::RParen)?;
        Ok(ExprKind::In {
            value,
            list,
            negated,
        })
    }

    pub(super) fn expr_list(&mut self) -> Result<Vec<Expr>, SqlError> {
        let mut list = vec![self.expr()?];
        while self.accept(Kind::Comma) {
            list.push(self.expr()?);
        }
        Ok(list)
    }

    fn prefix(&mut self) -> Result<Expr, SqlError> {
        let start = self.token.span.start;
        let kind = match self.token.kind {
            Kind::Minus => {
                self.advance();
                ExprKind::Unary(UnaryOp::Minus, self.boxed_above(SIGN)?)
            }
            Kind::Plus => {
                self.advance();
                ExprKind::Unary(UnaryOp::Plus, self.boxed_above(SIGN)?)
            }
            Kind::LParen => self.parenthesised()?,
            Kind::Integer => {
                let token = self.advance();
                ExprKind::Integer(token.span.of(self.sql).to_owned())
            }
            Kind::Float => self.float()?,
            Kind::Duration => {
                let token = self.advance();
                let duration = duration_of(token.span.of(self.sql))
                    .ok_or_else(|| unexpected(self.sql, token))?;
                ExprKind::Duration(duration)
            }
            Kind::Text => ExprKind::Text(self.text()?),
            Kind::Question => {
                self.advance();
                self.placeholders += 1;
                ExprKind::Placeholder(self.placeholders - 1)
            }
            Kind::Quoted => self.column()?,
            Kind::Alias => ExprKind::Column {
                table: None,
                name: self.foreign_name(),
            },
            Kind::Word => self.word_expr()?,
            _ => return Err(self.unexpected()),
        };
        Ok(Expr {
            kind,
            span: self.span_from(start),
        })
    }

    fn float(&mut self) -> Result<ExprKind, SqlError> {
        let token = self.advance();
        token
            .span
            .of(self.sql)
            .parse()
            .map(ExprKind::Float)
            .map_err(|_| unexpected(self.sql, token))
    }

    fn parenthesised(&mut self) -> Result<ExprKind, SqlError> {
        self.advance();
        if self.is_word("select") {
            let query = self.query()?;
            self.expect(Kind::RParen)?;
            return Ok(ExprKind::Subquery(Box::new(query)));
        }
        let inner = self.expr()?;
        self.expect(Kind::RParen)?;
        // The parentheses have done their work; the span keeps them for the column's name.
        Ok(inner.kind)
    }

    fn word_expr(&mut self) -> Result<ExprKind, SqlError> {
        let word = self.word().to_ascii_lowercase();
        let next = self.peek().kind;
        match word.as_str() {
            "null" => self.constant(ExprKind::Null),
            "true" => self.constant(ExprKind::Bool(true)),
            "false" => self.constant(ExprKind::Bool(false)),
            "not" => {
                self.advance();
                let inner = self.boxed_above(NOT)?;
                self.condition(&inner)?;
                Ok(ExprKind::Unary(UnaryOp::Not, inner))
            }
            "case" => self.case(),
            "timestamp" if next == Kind::Text => {
                self.advance();
                Ok(ExprKind::Timestamp(self.text()?))
            }
            "exists" => {
                self.advance();
                self.expect(Kind::LParen)?;
                let query = self.query()?;
                self.expect(Kind::RParen)?;
                Ok(ExprKind::Exists(Box::new(query)))
            }
            "cast" if next == Kind::LParen => self.cast(),
            "now" | "today" if next != Kind::LParen && next != Kind::Dot => {
                self.advance();
                Ok(ExprKind::Function {
                    name: word,
                    args: Vec::new(),
                    form: FunctionForm::Bare,
                })
            }
            _ if next == Kind::LParen
                && (self.is_name()
                    || matches!(word.as_str(), "left" | "right" | "if" | "match")) =>
            {
                self.function(word)
            }
            _ => self.column(),
        }
    }

    fn constant(&mut self, kind: ExprKind) -> Result<ExprKind, SqlError> {
        self.advance();
        Ok(kind)
    }

    /// `c`, `t.c`, `db.t.c`, `t.*`.
    fn column(&mut self) -> Result<ExprKind, SqlError> {
        let mut name = self.ident()?;
        let mut table: Option<Ident> = None;
        while self.token.kind == Kind::Dot {
            self.advance();
            if self.accept(Kind::Star) {
                return Ok(ExprKind::Wildcard(Some(name)));
            }
            table = Some(name);
            name = self.ident()?;
        }
        Ok(ExprKind::Column { table, name })
    }

    fn case(&mut self) -> Result<ExprKind, SqlError> {
        self.advance();
        let operand = if self.is_word("when") {
            None
        } else {
            Some(Box::new(self.expr()?))
        };
        let mut branches = Vec::new();
        while self.accept_word("when") {
            let when = self.expr()?;
            self.expect_word("then")?;
            branches.push((when, self.expr()?));
        }
        if branches.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.accept_word("else") {
            Some(Box::new(self.expr()?))
        } else {
            None
        };
        self.expect_word("end")?;
        Ok(ExprKind::Case {
            operand,
            branches,
            otherwise,
        })
    }

    fn cast(&mut self) -> Result<ExprKind, SqlError> {
        self.advance();
        self.expect(Kind::LParen)?;
        let value = self.expr()?;
        self.expect_word("as")?;
        let data_type = self.data_type(true)?;
        self.expect(Kind::RParen)?;
        Ok(ExprKind::Cast(Box::new(value), data_type))
    }

    fn function(&mut self, name: String) -> Result<ExprKind, SqlError> {
        self.advance();
        self.expect(Kind::LParen)?;
        let mut form = FunctionForm::Plain;
        let mut args = Vec::new();
        if self.token.kind == Kind::Star {
            args.push(self.star());
        } else if name == "trim" {
            form = self.trim_arguments(&mut args)?;
        } else if self.token.kind != Kind::RParen {
            if self.accept_word("distinct") {
                form = FunctionForm::Distinct;
            }
            self.arguments(&name, &mut args)?;
        }
        self.expect(Kind::RParen)?;
        Ok(ExprKind::Function { name, args, form })
    }

    fn star(&mut self) -> Expr {
        let token = self.advance();
        Expr {
            kind: ExprKind::Wildcard(None),
            span: token.span,
        }
    }

    fn arguments(&mut self, name: &str, args: &mut Vec<Expr>) -> Result<(), SqlError> {
        if name == "position" {
            // Above the comparisons, so that IN is left for the special form.
            args.push(*self.boxed_above(COMPARE)?);
            if self.accept_word("in") {
                args.push(self.expr()?);
                return Ok(());
            }
        } else {
            args.push(self.expr()?);
            if matches!(name, "substring" | "substr") && self.accept_word("from") {
                args.push(self.expr()?);
                if self.accept_word("for") {
                    args.push(self.expr()?);
                }
                return Ok(());
            }
        }
        while self.accept(Kind::Comma) {
            args.push(self.expr()?);
        }
        Ok(())
    }

    /// The arguments of trim in the order text, what to take off.
    fn trim_arguments(&mut self, args: &mut Vec<Expr>) -> Result<FunctionForm, SqlError> {
        let side = match self.word().to_ascii_lowercase().as_str() {
            "leading" => FunctionForm::TrimLeading,
            "trailing" => FunctionForm::TrimTrailing,
            "both" => FunctionForm::TrimBoth,
            _ => FunctionForm::Plain,
        };
        if side != FunctionForm::Plain {
            self.advance();
            if self.accept_word("from") {
                args.push(self.expr()?);
                return Ok(side);
            }
        }
        let first = self.expr()?;
        if self.accept_word("from") {
            args.push(self.expr()?);
            args.push(first);
            return Ok(match side {
                FunctionForm::Plain => FunctionForm::TrimBoth,
                side => side,
            });
        }
        args.push(first);
        Ok(side)
    }

    /// A type; only CAST may leave out the length of a text type.
    pub(super) fn data_type(&mut self, in_cast: bool) -> Result<DataType, SqlError> {
        let word = self.word().to_ascii_lowercase();
        let token = self.token;
        let ty = match word.as_str() {
            "bool" => Ty::Bool,
            "tinyint" => Ty::TinyInt,
            "smallint" => Ty::SmallInt,
            "int" | "integer" => Ty::Int,
            "bigint" => Ty::BigInt,
            "float" => Ty::Float,
            "double" => Ty::Double,
            "timestamp" => Ty::Timestamp,
            "varchar" | "binary" => Ty::VarChar,
            "nchar" => Ty::NChar,
            "json" => Ty::Json,
            "varbinary" => Ty::VarBinary,
            "geometry" => Ty::Geometry,
            "decimal" => Ty::Decimal,
            "blob" => Ty::Blob,
            "mediumblob" => Ty::MediumBlob,
            _ => return Err(unexpected(self.sql, token)),
        };
        self.advance();
        let mut data_type = DataType {
            ty,
            length: None,
            precision: 0,
            scale: 0,
        };
        match ty {
            Ty::TinyInt | Ty::SmallInt | Ty::Int | Ty::BigInt if self.accept_word("unsigned") => {
                data_type.ty = unsigned(ty);
            }
            Ty::VarChar | Ty::NChar | Ty::VarBinary | Ty::Geometry
                if self.token.kind == Kind::LParen || !in_cast =>
            {
                self.expect(Kind::LParen)?;
                data_type.length = Some(self.small()?);
                self.expect(Kind::RParen)?;
            }
            Ty::Decimal => self.decimal_digits(&mut data_type)?,
            _ => {}
        }
        Ok(data_type)
    }

    fn decimal_digits(&mut self, data_type: &mut DataType) -> Result<(), SqlError> {
        self.expect(Kind::LParen)?;
        data_type.precision = self.small()?;
        if self.accept(Kind::Comma) {
            data_type.scale = self.small()?;
        }
        self.expect(Kind::RParen)?;
        if data_type.precision <= 18 {
            data_type.ty = Ty::Decimal64;
        }
        Ok(())
    }

    fn small(&mut self) -> Result<u32, SqlError> {
        let token = self.expect(Kind::Integer)?;
        let text: &str = Span::of(token.span, self.sql);
        text.parse().map_err(|_| unexpected(self.sql, token))
    }

    /// A text in a place where only its contents matter.
    pub(super) fn peek_text(&self) -> Option<String> {
        (self.token.kind == Kind::Text).then(|| unquote(self.token.span.of(self.sql)).into_owned())
    }
}

const fn is_condition(kind: &ExprKind) -> bool {
    match kind {
        ExprKind::Binary(op, ..) => matches!(
            op,
            BinaryOp::And
                | BinaryOp::Or
                | BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Less
                | BinaryOp::LessEqual
                | BinaryOp::Greater
                | BinaryOp::GreaterEqual
                | BinaryOp::Like
                | BinaryOp::NotLike
                | BinaryOp::Match
                | BinaryOp::NotMatch
                | BinaryOp::Contains
        ),
        ExprKind::Unary(UnaryOp::Not, _)
        | ExprKind::Between { .. }
        | ExprKind::In { .. }
        | ExprKind::InQuery { .. }
        | ExprKind::IsNull { .. }
        | ExprKind::Exists(_) => true,
        _ => false,
    }
}

const fn unsigned(ty: Ty) -> Ty {
    match ty {
        Ty::TinyInt => Ty::UTinyInt,
        Ty::SmallInt => Ty::USmallInt,
        Ty::Int => Ty::UInt,
        _ => Ty::UBigInt,
    }
}
