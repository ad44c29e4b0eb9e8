//! Expressions: from the tree to SQLite's SQL, with the dialect's types and rules (DIALECT §3).

use taos_query::common::Ty;

use super::compare;
use super::planner::{Grouping, Planner};
use super::scope::{Scope, is_window_column};
use super::time::parse_time;
use super::types::{ColType, Literal, Typed, USES_DATA};
use super::{aggregate, cast, kinds, scalar};
use crate::sql::SqlError;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Ident, UnaryOp};
use crate::sql::code;

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(crate) struct Place<'s> {
    pub(crate) scope: &'s Scope,
    /// Grouped rows, not single ones, if there is a grouping.
    pub(crate) grouping: Option<&'s Grouping>,
}

impl<'s> Place<'s> {
    pub(crate) const fn rows(scope: &'s Scope) -> Self {
        Self {
            scope,
            grouping: None,
        }
    }
}

fn null_test(value: &Typed, negated: bool) -> Typed {
    let test = if negated { "IS NOT NULL" } else { "IS NULL" };
    let mut typed = Typed::new(
        format!("({} {test})", value.sql),
        ColType::fixed(Ty::Bool),
        value.uses,
    );
    typed.filter = Some(typed.sql.clone());
    typed
}

impl Planner<'_> {
    pub(crate) fn expr(&mut self, expr: &Expr, place: Place<'_>) -> Result<Typed, SqlError> {
        let typed = self.unbounded_expr(expr, place)?;
        self.spend(&typed)?;
        Ok(typed)
    }

    fn unbounded_expr(&mut self, expr: &Expr, place: Place<'_>) -> Result<Typed, SqlError> {
        if let Some(grouping) = place.grouping
            && !aggregate::contains(expr)
            && let Some(typed) = self.grouped(expr, place.scope, grouping)?
        {
            return Ok(typed);
        }
        match &expr.kind {
            ExprKind::Column { table, name } => self.column(table.as_ref(), name, place),
            ExprKind::Wildcard(_) => Err(SqlError::syntax(expr.span.rest(self.sql))),
            ExprKind::Placeholder(_) => Err(SqlError::unsupported("parameters in a query")),
            ExprKind::Unary(op, inner) => self.unary(*op, inner, place),
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, place),
            ExprKind::Between {
                value,
                low,
                high,
                negated,
            } => {
                let value = self.expr(value, place)?;
                let low = self.expr(low, place)?;
                let high = self.expr(high, place)?;
                compare::between(self, place.scope.precision, &value, &low, &high, *negated)
            }
            ExprKind::In {
                value,
                list,
                negated,
            } => {
                let value = self.expr(value, place)?;
                let list: Result<Vec<_>, _> = list.iter().map(|e| self.expr(e, place)).collect();
                compare::in_list(self, place.scope.precision, &value, &list?, *negated)
            }
            ExprKind::IsNull { value, negated } => {
                let value = self.expr(value, place)?;
                Ok(null_test(&value, *negated))
            }
            ExprKind::Case {
                operand,
                branches,
                otherwise,
            } => self.case(operand.as_deref(), branches, otherwise.as_deref(), place),
            ExprKind::Cast(inner, data_type) => {
                let inner = self.expr(inner, place)?;
                cast::cast(self, &inner, *data_type, place.scope.precision)
            }
            ExprKind::Function { name, args, form } => {
                if aggregate::is_aggregate(name) {
                    return self.aggregate_call(name, args, *form, place);
                }
                scalar::call(self, name, args, *form, place)
            }
            // The grammar of 3.3 knows queries only behind FROM.
            ExprKind::InQuery { query, .. }
            | ExprKind::Subquery(query)
            | ExprKind::Exists(query) => Err(SqlError::syntax(query.span.rest(self.sql))),
            _ => self.constant(expr, place),
        }
    }

    /// Literals.
    fn constant(&mut self, expr: &Expr, place: Place<'_>) -> Result<Typed, SqlError> {
        match &expr.kind {
            ExprKind::Null => Ok(Typed::new("NULL".into(), ColType::sized(Ty::VarChar, 0), 0)
                .with_literal(Literal::Null)),
            ExprKind::Bool(value) => Ok(Typed::new(
                if *value { "1" } else { "0" }.into(),
                ColType::fixed(Ty::Bool),
                0,
            )
            .with_literal(Literal::Bool(*value))),
            ExprKind::Integer(text) => integer(text, false),
            ExprKind::Float(value) => Ok(self.float(*value)),
            ExprKind::Text(text) => Ok(self.text(text)),
            ExprKind::Timestamp(text) => {
                let at = parse_time(text, place.scope.precision, self.context.zone)?
                    .ok_or_else(|| bad_time(text))?;
                Ok(Typed::new(at.to_string(), ColType::fixed(Ty::Timestamp), 0))
            }
            ExprKind::Duration(duration) => {
                let ticks = duration.ticks(place.scope.precision);
                Ok(Typed::new(
                    ticks.unwrap_or_default().to_string(),
                    ColType::fixed(Ty::BigInt),
                    0,
                )
                .with_literal(Literal::Duration(*duration)))
            }
            _ => Err(SqlError::syntax(expr.span.rest(self.sql))),
        }
    }

    /// What an expression without aggregates means among groups; `None` if its parts decide.
    fn grouped(
        &mut self,
        expr: &Expr,
        scope: &Scope,
        grouping: &Grouping,
    ) -> Result<Option<Typed>, SqlError> {
        if let ExprKind::Column { table, name } = &expr.kind {
            scope.qualify(table.as_ref())?;
            if let Some(typed) = self.window_column(&name.name, Some(grouping))? {
                return Ok(Some(typed));
            }
        }
        if matches!(expr.kind, ExprKind::Wildcard(_)) || mentions_window(expr) {
            return Ok(None);
        }
        let typed = self.expr(expr, Place::rows(scope))?;
        let state = grouping
            .window
            .as_ref()
            .filter(|over| over.state.as_ref() == Some(&typed.sql));
        if let Some(over) = state {
            over.state_used.set(true);
        }
        let constant = grouping.keys.iter().any(|key| key.sql == typed.sql);
        if typed.uses == 0 || constant || state.is_some() {
            return Ok(Some(typed));
        }
        if !matches!(expr.kind, ExprKind::Column { .. }) {
            return Ok(None);
        }
        let constant_tags = scope.is_child() || grouping.by_table;
        let no_table = scope.table.is_none() && scope.sides.is_empty();
        if typed.uses & USES_DATA == 0 && (constant_tags || no_table) {
            return Ok(Some(typed));
        }
        if scope.drives(&typed) {
            return Ok(Some(typed));
        }
        if let Some(pick) = &grouping.companion {
            let sql = pick.replace("{}", &typed.sql);
            return Ok(Some(Typed::new(sql, typed.ty, typed.uses)));
        }
        Err(grouping.refusal())
    }

    fn column(
        &mut self,
        table: Option<&Ident>,
        name: &Ident,
        place: Place<'_>,
    ) -> Result<Typed, SqlError> {
        if let Some(column) = place.scope.find(table, &name.name)? {
            return Ok(place.scope.use_column(column));
        }
        let quoted = name.quoted;
        let name = name.name.as_str();
        if quoted {
            return Err(SqlError::unknown_column(name));
        }
        if let Some(typed) = self.window_column(name, place.grouping)? {
            return Ok(typed);
        }
        match name {
            "tbname" => place.scope.table_name_of(table),
            "_rowts" | "_c0" => match &place.scope.time {
                Some(time) => Ok(Typed::new(
                    time.clone(),
                    ColType::fixed(Ty::Timestamp),
                    USES_DATA,
                )),
                None => Err(SqlError::new(0x2646, "Invalid _c0 or _rowts expression")),
            },
            "_qstart" | "_qend" | "_qduration" => self.query_range_column(name),
            _ => Err(SqlError::unknown_column(name)),
        }
    }

    /// `_wstart` and its like; an error outside a window.
    fn window_column(
        &self,
        name: &str,
        grouping: Option<&Grouping>,
    ) -> Result<Option<Typed>, SqlError> {
        if !matches!(name, "_wstart" | "_wend" | "_wduration") {
            return Ok(None);
        }
        let Some(window) = grouping.and_then(|grouping| grouping.window.as_ref()) else {
            return Err(SqlError::new(
                0x2658,
                "There mustn't be a window column outside a window",
            ));
        };
        let (sql, ty) = match name {
            "_wstart" => (&window.start, Ty::Timestamp),
            "_wend" => (&window.end, Ty::Timestamp),
            _ => (&window.duration, Ty::BigInt),
        };
        Ok(Some(Typed::new(sql.clone(), ColType::fixed(ty), 0)))
    }

    pub(crate) fn float(&mut self, value: f64) -> Typed {
        let sql = self.param(rusqlite::types::Value::Real(value));
        Typed::new(sql, ColType::fixed(Ty::Double), 0).with_literal(Literal::Float(value))
    }

    pub(crate) fn text(&mut self, text: &str) -> Typed {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let sql = self.param(rusqlite::types::Value::Text(text.to_owned()));
        Typed::new(sql, ColType::sized(Ty::VarChar, length), 0)
            .with_literal(Literal::Text(text.to_owned()))
    }

    fn unary(&mut self, op: UnaryOp, inner: &Expr, place: Place<'_>) -> Result<Typed, SqlError> {
        match op {
            UnaryOp::Plus => self.expr(inner, place),
            UnaryOp::Not => {
                let typed = self.expr(inner, place)?;
                let sql = format!("(NOT {})", truth(&typed)?);
                let mut not = Typed::new(sql, ColType::fixed(Ty::Bool), typed.uses);
                not.filter = Some(not.sql.clone());
                Ok(not)
            }
            UnaryOp::Minus => {
                if let ExprKind::Integer(text) = &inner.kind {
                    return integer(text, true);
                }
                let typed = self.expr(inner, place)?;
                self.negative(&typed)
            }
        }
    }

    fn negative(&mut self, typed: &Typed) -> Result<Typed, SqlError> {
        match &typed.literal {
            Some(Literal::Float(value)) => return Ok(self.float(-value)),
            Some(Literal::Integer(value)) => {
                let (text, negative) = (value.unsigned_abs().to_string(), *value > 0);
                return integer(&text, negative);
            }
            Some(_) => return Err(SqlError::unsupported("a minus before such a literal")),
            None => {}
        }
        if typed.ty.is_decimal() {
            return Ok(super::decimal::negate(typed));
        }
        if typed.ty.ty == Ty::Timestamp {
            return Err(SqlError::unsupported("a minus before a time"));
        }
        if !typed.ty.is_number() && typed.ty.ty != Ty::Bool {
            return Err(SqlError::invalid_operation());
        }
        // Not a negation, which would make -0 of 0.
        let sql = format!("(0.0 - {})", real(typed)?);
        Ok(Typed::new(sql, ColType::fixed(Ty::Double), typed.uses))
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        place: Place<'_>,
    ) -> Result<Typed, SqlError> {
        if op == BinaryOp::Arrow {
            super::json::check_arrow(self.sql, left, right)?;
        }
        let left = self.expr(left, place)?;
        let right = self.expr(right, place)?;
        let uses = left.uses | right.uses;
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let word = if op == BinaryOp::And { "AND" } else { "OR" };
                let sql = format!("({} {word} {})", truth(&left)?, truth(&right)?);
                let filter = format!("({} {word} {})", condition(&left)?, condition(&right)?);
                let mut typed = Typed::new(sql, ColType::fixed(Ty::Bool), uses);
                typed.filter = Some(filter);
                Ok(typed)
            }
            BinaryOp::Equal => self.compare("=", &left, &right, place),
            BinaryOp::NotEqual => self.compare("<>", &left, &right, place),
            BinaryOp::Less => self.compare("<", &left, &right, place),
            BinaryOp::LessEqual => self.compare("<=", &left, &right, place),
            BinaryOp::Greater => self.compare(">", &left, &right, place),
            BinaryOp::GreaterEqual => self.compare(">=", &left, &right, place),
            BinaryOp::Like | BinaryOp::NotLike | BinaryOp::Match | BinaryOp::NotMatch => {
                compare::pattern(op, &left, &right)
            }
            BinaryOp::BitAnd | BinaryOp::BitOr => {
                let sign = if op == BinaryOp::BitAnd { '&' } else { '|' };
                let sql = format!("({} {sign} {})", bits(&left)?, bits(&right)?);
                Ok(Typed::new(sql, ColType::fixed(Ty::BigInt), uses))
            }
            BinaryOp::Arrow => super::json::arrow(self, &left, &right),
            BinaryOp::Contains => super::json::contains(self, &left, &right),
            _ => self.arithmetic(op, &left, &right, place),
        }
    }

    fn compare(
        &mut self,
        op: &str,
        left: &Typed,
        right: &Typed,
        place: Place<'_>,
    ) -> Result<Typed, SqlError> {
        compare::compare(self, op, left, right, place.scope.precision)
    }

    fn arithmetic(
        &mut self,
        op: BinaryOp,
        left: &Typed,
        right: &Typed,
        place: Place<'_>,
    ) -> Result<Typed, SqlError> {
        if left.ty.ty == Ty::Timestamp || right.ty.ty == Ty::Timestamp {
            return super::shift::time_arithmetic(self, op, left, right, place);
        }
        if left.ty.is_decimal() || right.ty.is_decimal() {
            return super::decimal::arithmetic(op, left, right);
        }
        let sql = super::shift::numbers(op, &real(left)?, &real(right)?);
        let uses = left.uses | right.uses;
        Ok(Typed::new(sql, ColType::fixed(Ty::Double), uses))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        place: Place<'_>,
    ) -> Result<Typed, SqlError> {
        let operand = operand
            .map(|operand| self.expr(operand, place))
            .transpose()?;
        let mut uses = operand.as_ref().map_or(0, |typed| typed.uses);
        let mut conditions = Vec::with_capacity(branches.len());
        let mut values = Vec::with_capacity(branches.len() + 1);
        for (when, then) in branches {
            let when = self.expr(when, place)?;
            let when = match &operand {
                Some(operand) => {
                    let equal = self.compare("=", operand, &when, place)?;
                    self.spend(&equal)?;
                    equal
                }
                None => when,
            };
            uses |= when.uses;
            conditions.push(if when.is_null() {
                "0".to_owned()
            } else if when.ty.is_text() {
                format!("ifnull(td_leading_int({}) <> 0, 0)", when.sql)
            } else {
                truth(&when)?
            });
            values.push(self.expr(then, place)?);
        }
        if let Some(otherwise) = otherwise {
            values.push(self.expr(otherwise, place)?);
        }
        uses |= values.iter().fold(0, |all, value| all | value.uses);
        let ty = common_type(&values)?;
        let mut sql = String::from("(CASE");
        for (index, value) in values.iter().enumerate() {
            let value = cast::as_type(self, value, ty)?;
            match conditions.get(index) {
                Some(condition) => sql.push_str(&format!(" WHEN {condition} THEN {value}")),
                None => sql.push_str(&format!(" ELSE {value}")),
            }
        }
        sql.push_str(" END)");
        Ok(Typed::new(sql, ty, uses))
    }
}

/// The type of CASE with these values.
fn common_type(values: &[Typed]) -> Result<ColType, SqlError> {
    let mut known = values.iter().filter(|value| !value.is_null());
    let Some(first) = known.next() else {
        return Ok(ColType::sized(Ty::VarChar, 0));
    };
    known.try_fold(first.ty, |ty, value| common(ty, value.ty))
}

fn common(ty: ColType, other: ColType) -> Result<ColType, SqlError> {
    /// The room for a number written out.
    const NUMBER: u32 = 63;
    if ty.is_decimal() || other.is_decimal() {
        return if ty == other {
            Ok(ty)
        } else {
            super::decimal::common(ty, other)
        };
    }
    if ty.ty == other.ty {
        return Ok(ColType::sized(ty.ty, ty.length.max(other.length)));
    }
    let unfit = || SqlError::unsupported(format!("CASE with {} and {}", ty.ty, other.ty));
    let shown = kinds::shown(ty.ty, other.ty).ok_or_else(unfit)?;
    let room = |ty: ColType| match ty.ty {
        Ty::VarChar | Ty::NChar | Ty::VarBinary => ty.length,
        _ => NUMBER,
    };
    Ok(match shown {
        Ty::VarChar | Ty::NChar | Ty::VarBinary => ColType::sized(shown, room(ty).max(room(other))),
        fixed => ColType::fixed(fixed),
    })
}

/// An integer literal: BIGINT, above its range BIGINT UNSIGNED.
fn integer(text: &str, negative: bool) -> Result<Typed, SqlError> {
    let beyond = || SqlError::unsupported("an integer beyond 64 bits");
    let value: i128 = text.parse().map_err(|_| beyond())?;
    let value = if negative { -value } else { value };
    if let Ok(small) = i64::try_from(value) {
        let sql = if small == i64::MIN {
            "(-9223372036854775807 - 1)".to_owned()
        } else {
            small.to_string()
        };
        return Ok(
            Typed::new(sql, ColType::fixed(Ty::BigInt), 0).with_literal(Literal::Integer(value))
        );
    }
    let unsigned = u64::try_from(value).map_err(|_| beyond())?;
    Ok(
        Typed::new(flipped(unsigned), ColType::fixed(Ty::UBigInt), 0)
            .with_literal(Literal::Integer(value)),
    )
}

/// The stored form of a BIGINT UNSIGNED as SQL.
pub(crate) fn flipped(value: u64) -> String {
    let stored = (value ^ (1 << 63)).cast_signed();
    if stored == i64::MIN {
        "(-9223372036854775807 - 1)".to_owned()
    } else {
        stored.to_string()
    }
}

/// A value as a DOUBLE.
pub(crate) fn real(typed: &Typed) -> Result<String, SqlError> {
    Ok(match typed.ty.ty {
        Ty::Float | Ty::Double => typed.sql.clone(),
        Ty::UBigInt => format!("td_u64_real({})", typed.sql),
        Ty::Decimal | Ty::Decimal64 => {
            format!("td_dec_real({}, {})", typed.sql, typed.ty.scale)
        }
        Ty::Json => format!("CAST(td_json_plain({}) AS REAL)", typed.sql),
        Ty::VarBinary | Ty::Blob | Ty::MediumBlob | Ty::Geometry => {
            return Err(SqlError::invalid_operation());
        }
        _ if typed.is_null() => "NULL".to_owned(),
        _ if matches!(&typed.literal, Some(Literal::Duration(by)) if by.months().is_some()) => {
            return Err(SqlError::unsupported("months and years as a number"));
        }
        _ if typed.ty.is_text() => format!("td_text_real({})", typed.sql),
        _ => format!("CAST({} AS REAL)", typed.sql),
    })
}

/// A value as 64 bits.
pub(crate) fn bits(typed: &Typed) -> Result<String, SqlError> {
    Ok(match typed.ty.ty {
        Ty::UBigInt => format!("td_u64_bits({})", typed.sql),
        Ty::VarBinary | Ty::Blob | Ty::MediumBlob | Ty::Geometry => {
            return Err(SqlError::invalid_operation());
        }
        Ty::Json | Ty::Decimal | Ty::Decimal64 => {
            return Err(SqlError::unsupported(format!(
                "the bits of {}",
                typed.ty.ty
            )));
        }
        Ty::Float | Ty::Double => format!("td_whole({}, 64)", typed.sql),
        _ if typed.ty.is_text() && !typed.is_null() => {
            format!("td_whole(td_text_real({}), 64)", typed.sql)
        }
        _ => format!("CAST({} AS INTEGER)", typed.sql),
    })
}

/// A value as 0 or 1, never NULL.
pub(crate) fn truth(typed: &Typed) -> Result<String, SqlError> {
    if typed.filter.is_some() {
        return Ok(typed.sql.clone());
    }
    match typed.ty.ty {
        Ty::Bool => Ok(format!("ifnull({}, 0)", typed.sql)),
        _ if typed.is_null() => Ok("0".to_owned()),
        _ if typed.ty.is_number() => Ok(format!("ifnull({} <> 0, 0)", real(typed)?)),
        _ => Err(SqlError::invalid_operation()),
    }
}

/// A value as a condition, where NULL counts as false.
pub(crate) fn condition(typed: &Typed) -> Result<String, SqlError> {
    match &typed.filter {
        Some(filter) => Ok(filter.clone()),
        None => truth(typed),
    }
}

pub(crate) fn bad_time(text: &str) -> SqlError {
    SqlError::new(
        code::BAD_TIME,
        format!("Invalid timestamp format: '{text}'"),
    )
}

/// Whether a window's own column stands inside.
fn mentions_window(expr: &Expr) -> bool {
    aggregate::any(expr, &is_window_column)
}
