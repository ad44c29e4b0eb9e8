//! INTERP with RANGE, EVERY and FILL (DIALECT §7).

use taos_query::common::Ty;

use super::aggregate::{any, calls, contains};
use super::cast;
use super::clauses::{as_key, where_sql};
use super::expr::{Place, bad_time};
use super::planner::{Planned, Planner};
use super::rewrite::rewritten;
use super::scalar::{count_error, type_error, value_error};
use super::scope::{Scope, ScopeColumn, is_tbname};
use super::select::Filter;
use super::series::{hidden_column, hidden_name, named};
use super::series_rules::{class, mixed, must_be_number, nested_error};
use super::time::parse_time;
use super::types::{ColType, Literal, Typed, USES_DATA};
use crate::sql::ast::{DataType, Expr, ExprKind, Fill, FillMode, OrderItem, Query, Select, Span};
use crate::sql::{SqlError, code};

const IROWTS: &str = "_irowts";
const ISFILLED: &str = "_isfilled";
const ORIGIN: &str = "_irowts_origin";

fn incomplete(what: &str) -> SqlError {
    SqlError::new(0x265D, what)
}

fn wrong_values() -> SqlError {
    SqlError::new(
        0x2605,
        "FILL needs one value for each interp, and PREV, NEXT and NEAR only with a distance in RANGE",
    )
}

fn not_single_group() -> SqlError {
    SqlError::new(code::NOT_SINGLE_GROUP, "Not a single-group group function")
}

fn no_such_fill() -> SqlError {
    SqlError::new(0x2605, "interp needs a FILL, and not NONE")
}

fn wrong_step() -> SqlError {
    SqlError::new(
        0x2605,
        "EVERY takes a fixed time, at least the database's unit",
    )
}

/// The points asked for, as SQL.
struct Grid {
    first: String,
    last: String,
    step: i64,
    /// How far a row may be from its point.
    around: Option<i64>,
}

/// One call of interp.
struct Point {
    call: Expr,
    value: Typed,
    ignore_null: bool,
}

impl Planner<'_> {
    /// A SELECT of interpolated values.
    pub(super) fn interp_select(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        filter: &Filter,
    ) -> Result<Planned, SqlError> {
        let points = self.points(select, scope)?;
        for item in &select.items {
            self.beside_points(&item.expr, select, scope)?;
        }
        let grid = self.grid(select, scope)?;
        if select.tags || select.distinct {
            return Err(SqlError::unsupported("distinct or tags with interp"));
        }
        let order = query.order_by.iter();
        if order
            .clone()
            .any(|item| contains(&item.expr) || calls(&item.expr, &["interp"]))
        {
            return Err(SqlError::unsupported("order by interp"));
        }
        let Some(fill) = &select.fill else {
            return Err(no_such_fill());
        };
        let own = self.own_values(fill, &grid, &points, scope)?;
        self.interpolated(select, query, scope, filter, &points, &grid, fill, &own)
    }

    /// The calls of interp, checked.
    fn points(&mut self, select: &Select, scope: &Scope) -> Result<Vec<Point>, SqlError> {
        let mut points: Vec<Point> = Vec::new();
        for item in &select.items {
            for call in found(&item.expr) {
                let ExprKind::Function { name, args, .. } = &call.kind else {
                    continue;
                };
                if args.iter().any(|arg| contains(arg) || any(arg, &is_series)) {
                    return Err(mixed());
                }
                if args.iter().any(|arg| any(arg, &is_interp)) {
                    return Err(nested_error());
                }
                let (Some(arg), true) = (args.first(), args.len() <= 2) else {
                    return Err(count_error(name));
                };
                let value = self.expr(arg, Place::rows(scope))?;
                if value.ty.ty != Ty::Bool {
                    must_be_number(name, &value)?;
                }
                if value.uses == 0 {
                    return Err(type_error(name));
                }
                let ignore_null = match args.get(1) {
                    None => false,
                    Some(arg) => match self.expr(arg, Place::rows(scope))?.literal {
                        Some(Literal::Integer(flag @ 0..=1)) => flag == 1,
                        Some(Literal::Integer(_)) => return Err(value_error(name)),
                        _ => return Err(type_error(name)),
                    },
                };
                let alone = |other: &Point| !other.ignore_null && !ignore_null;
                if !points.iter().all(alone) {
                    return Err(mixed());
                }
                points.push(Point {
                    call: call.clone(),
                    value,
                    ignore_null,
                });
            }
        }
        let others = |expr: &Expr| contains(expr) || any(expr, &is_series);
        if select.items.iter().any(|item| others(&item.expr))
            || select.window.is_some()
            || !select.group_by.is_empty()
        {
            return Err(mixed());
        }
        if select.having.is_some() {
            return Err(SqlError::unsupported("having with interp"));
        }
        let bare = select.items.iter().any(|item| is_interp(&item.expr));
        let pseudo = |expr: &Expr| matches!(column_of(expr), Some(IROWTS | ISFILLED | ORIGIN));
        if !bare && select.items.iter().any(|item| any(&item.expr, &pseudo)) {
            return Err(SqlError::unknown_column(IROWTS));
        }
        Ok(points)
    }

    /// Refuses columns that have no one value for a series.
    fn beside_points(
        &mut self,
        expr: &Expr,
        select: &Select,
        scope: &Scope,
    ) -> Result<(), SqlError> {
        if is_interp(expr) {
            return Ok(());
        }
        for part in super::rewrite::parts(expr) {
            self.beside_points(part, select, scope)?;
        }
        let Some(name) = column_of(expr) else {
            return Ok(());
        };
        if matches!(name, IROWTS | ISFILLED | ORIGIN) {
            return Ok(());
        }
        let typed = self.expr(expr, Place::rows(scope))?;
        let mut by_table = scope.is_child();
        for key in select.partition_by.iter().map(|item| &item.expr) {
            by_table |= is_tbname(key);
            if self.expr(key, Place::rows(scope))?.sql == typed.sql {
                return Ok(());
            }
        }
        let of_table = typed.uses & USES_DATA == 0 && by_table;
        let name_of_one = is_tbname(expr) && !scope.is_super() && scope.table.is_some();
        if of_table || name_of_one {
            return Ok(());
        }
        Err(not_single_group())
    }

    /// RANGE and EVERY.
    fn grid(&mut self, select: &Select, scope: &Scope) -> Result<Grid, SqlError> {
        let missing = || incomplete("interp needs RANGE, EVERY and FILL");
        let Some(range) = &select.range else {
            return Err(missing());
        };
        let (first, second) = match range.as_slice() {
            [one] => (one, None),
            [first, second] => (first, Some(second)),
            _ => return Err(SqlError::unsupported("range of this form")),
        };
        let around = match second.map(|second| &second.kind) {
            Some(ExprKind::Duration(distance)) => {
                if distance.months().is_some() {
                    return Err(wrong_values());
                }
                let ticks = distance.ticks(scope.precision).unwrap_or_default();
                if ticks < 1 {
                    return Err(bad_range());
                }
                Some(ticks)
            }
            _ => None,
        };
        let second = second.filter(|_| around.is_none());
        let Some(every) = &select.every else {
            if second.is_some() {
                return Err(missing());
            }
            let first = self.point_of_time(first, scope)?;
            return Ok(Grid {
                last: first.clone(),
                first,
                step: 1,
                around,
            });
        };
        if around.is_some() {
            return Err(incomplete(
                "EVERY and a distance in RANGE exclude each other",
            ));
        }
        if select.fill.is_none() {
            return Err(missing());
        }
        let step = match &every.kind {
            ExprKind::Duration(step) if step.months().is_none() => {
                step.ticks(scope.precision).unwrap_or_default()
            }
            ExprKind::Integer(ticks) => ticks.parse().unwrap_or_default(),
            ExprKind::Duration(_) => return Err(wrong_step()),
            _ => return Err(SqlError::unsupported("every of this form")),
        };
        if step < 1 {
            return Err(wrong_step());
        }
        let first = self.point_of_time(first, scope)?;
        let last = match second {
            Some(second) => self.point_of_time(second, scope)?,
            None => first.clone(),
        };
        Ok(Grid {
            first,
            last,
            step,
            around,
        })
    }

    fn point_of_time(&mut self, expr: &Expr, scope: &Scope) -> Result<String, SqlError> {
        let typed = self.expr(expr, Place::rows(&Scope::empty(scope.precision)))?;
        match &typed.literal {
            Some(Literal::Text(text)) => {
                let at = parse_time(text, scope.precision, self.context.zone)?;
                Ok(at.ok_or_else(|| bad_time(text))?.to_string())
            }
            Some(Literal::Integer(_)) => Ok(typed.sql),
            None if typed.ty.ty == Ty::Timestamp && typed.uses == 0 => Ok(typed.sql),
            _ => Err(SqlError::unsupported("range of this type")),
        }
    }

    /// What FILL names, as SQL in the type of each call.
    fn own_values(
        &mut self,
        fill: &Fill,
        grid: &Grid,
        points: &[Point],
        scope: &Scope,
    ) -> Result<Vec<String>, SqlError> {
        let syntax = || SqlError::syntax("fill");
        let wanted = match fill.mode {
            FillMode::None => return Err(no_such_fill()),
            FillMode::Null | FillMode::NullForced | FillMode::Linear => {
                if !fill.values.is_empty() {
                    return Err(syntax());
                }
                if grid.around.is_some() {
                    return Err(bad_range());
                }
                return Ok(vec!["NULL".to_owned(); points.len()]);
            }
            FillMode::Value | FillMode::ValueForced => {
                if fill.values.is_empty() {
                    return Err(syntax());
                }
                if grid.around.is_some() {
                    return Err(bad_range());
                }
                points.len()
            }
            FillMode::Prev | FillMode::Next | FillMode::Near if grid.around.is_some() => {
                points.len()
            }
            FillMode::Prev | FillMode::Next | FillMode::Near => 0,
        };
        if fill.values.len() != wanted {
            return Err(wrong_values());
        }
        let empty = Scope::empty(scope.precision);
        let mut own = vec!["NULL".to_owned(); points.len()];
        for ((value, point), own) in fill.values.iter().zip(points).zip(&mut own) {
            let value = self.expr(value, Place::rows(&empty))?;
            let ty = DataType {
                ty: point.value.ty.ty,
                length: None,
                precision: 0,
                scale: 0,
            };
            *own = cast::cast(self, &value, ty, scope.precision)?.sql;
        }
        Ok(own)
    }

    #[allow(clippy::too_many_arguments, reason = "the clauses of one statement")]
    fn interpolated(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        filter: &Filter,
        points: &[Point],
        grid: &Grid,
        fill: &Fill,
        own: &[String],
    ) -> Result<Planned, SqlError> {
        let by_prev = matches!(fill.mode, FillMode::Prev | FillMode::Next | FillMode::Near);
        let names_origin = |expr: &Expr| any(expr, &|part| column_of(part) == Some(ORIGIN));
        let origin = select.items.iter().any(|item| names_origin(&item.expr));
        if origin && !by_prev {
            return Err(SqlError::unsupported("_irowts_origin with this fill"));
        }
        let (series, constants) =
            self.series_of_points(select, scope, filter, points, grid, fill)?;
        let number = self.next_number();
        let mut parts = vec![
            "p.value->>0 AS t".to_owned(),
            "p.value->>1 AS f".to_owned(),
            "p.value->>2 AS o".to_owned(),
        ];
        for (at, own) in own.iter().enumerate() {
            parts.push(format!(
                "CASE p.value->>1 WHEN 2 THEN {own} ELSE p.value->>{} END AS v{at}",
                at + 3
            ));
        }
        parts.extend((0..constants.len()).map(|at| format!("g.k{at} AS k{at}")));
        let mut rows = Scope::empty(scope.precision);
        rows.name.clone_from(&scope.name);
        rows.number = number;
        rows.time = Some(format!("s{number}.t"));
        rows.from = Some(format!(
            "(SELECT {} FROM ({series}) g, json_each(g.points) p) s{number}",
            parts.join(", ")
        ));
        for (at, (name, ty)) in constants.into_iter().enumerate() {
            let sql = format!("s{number}.k{at}");
            if name == "tbname" {
                rows.tbname = Some(sql);
            } else {
                rows.columns.push(column(name, ty, sql));
            }
        }
        let time = ColType::fixed(Ty::Timestamp);
        let filled = format!("(s{number}.f <> 0)");
        let hidden = [
            (IROWTS.to_owned(), time, format!("s{number}.t")),
            (ISFILLED.to_owned(), ColType::fixed(Ty::Bool), filled),
            (ORIGIN.to_owned(), time, format!("s{number}.o")),
        ];
        let values = points
            .iter()
            .enumerate()
            .map(|(at, point)| (hidden_name(at), point.value.ty, format!("s{number}.v{at}")));
        for (name, ty, sql) in hidden.into_iter().chain(values) {
            rows.columns.push(column(name, ty, sql));
        }
        self.point_rows(select, query, scope, filter, points, &rows)
    }

    /// The SELECT around the points.
    fn point_rows(
        &mut self,
        select: &Select,
        query: &Query,
        scope: &Scope,
        filter: &Filter,
        points: &[Point],
        rows: &Scope,
    ) -> Result<Planned, SqlError> {
        let mut outputs = self.outputs(select, scope)?;
        for output in &mut outputs {
            if output.typed.is_some() {
                return Err(SqlError::unsupported("a wildcard beside interp"));
            }
            let fixed = |part: &Expr| match column_of(part) {
                Some("tbname") => rows.tbname.is_some(),
                Some(name) => rows.columns.iter().any(|column| column.name == name),
                None => true,
            };
            output.expr = rewritten(&output.expr, &|part| {
                let at = points.iter().position(|point| point.call == *part)?;
                Some(hidden_column(at, part.span))
            });
            if any(&output.expr, &|part| !fixed(part)) {
                return Err(not_single_group());
            }
        }
        let mut query = query.clone();
        if query.order_by.is_empty() && select.partition_by.is_empty() {
            query.order_by.push(OrderItem {
                expr: named(IROWTS, Span::default()),
                descending: false,
                nulls_first: None,
            });
        }
        let outer = Filter {
            constants: filter.constants.clone(),
            ..Filter::default()
        };
        self.row_select(select, &query, rows, outputs, &outer)
    }

    /// One row a series: its points, and what is the same for all of them with its name and type.
    fn series_of_points(
        &mut self,
        select: &Select,
        scope: &Scope,
        filter: &Filter,
        points: &[Point],
        grid: &Grid,
        fill: &Fill,
    ) -> Result<(String, Vec<(String, ColType)>), SqlError> {
        let Some(time) = scope.time.clone() else {
            return Err(SqlError::unsupported(
                "interp on rows without a time column",
            ));
        };
        let place = Place::rows(scope);
        let mut groups = Vec::new();
        let mut constants = Vec::new();
        let mut sql = Vec::new();
        let mut by_table = scope.is_child();
        for item in &select.partition_by {
            let key = self.expr(&item.expr, place)?;
            by_table |= is_tbname(&item.expr);
            if let Some(name) = column_of(&item.expr) {
                sql.push(format!("{} AS k{}", key.sql, constants.len()));
                constants.push((name.to_owned(), key.ty));
            }
            groups.push(as_key(&key.sql));
        }
        let mut fixed = Fixed { constants, sql };
        if by_table || !scope.is_super() {
            fixed.of_table(select, scope, by_table)?;
        }
        let Fixed { constants, mut sql } = fixed;
        let kinds: String = points.iter().map(|point| kind(point.value.ty.ty)).collect();
        let spec = format!(
            "{};{};{};{};{kinds}",
            mode(fill.mode),
            u8::from(points.iter().any(|point| point.ignore_null)),
            grid.step,
            grid.around
                .map_or_else(String::new, |ticks| ticks.to_string()),
        );
        let values: Vec<&str> = points
            .iter()
            .map(|point| point.value.sql.as_str())
            .collect();
        let order = match &scope.key {
            Some(key) => format!("{time}, {key}"),
            None => time.clone(),
        };
        sql.push(format!(
            "td_interp('{spec}', {}, {}, {time}, {} ORDER BY {order}) AS points",
            grid.first,
            grid.last,
            values.join(", ")
        ));
        let (from, condition) = scope.source_sql(false, "");
        // rows on the far side can change nothing, unless a point without a row has a value of its own
        let near = match fill.mode {
            FillMode::Prev if grid.around.is_none() => Some(format!("{time} <= {}", grid.last)),
            FillMode::Next if grid.around.is_none() => Some(format!("{time} >= {}", grid.first)),
            _ => None,
        };
        let filters: Vec<&String> = condition
            .iter()
            .chain(&near)
            .chain(&filter.tags)
            .chain(&filter.rows)
            .collect();
        let mut series = format!("SELECT {}{from}{}", sql.join(", "), where_sql(&filters));
        if !groups.is_empty() {
            series.push_str(&format!(" GROUP BY {}", groups.join(", ")));
        }
        Ok((series, constants))
    }
}

/// What is the same for all points of a series.
struct Fixed {
    constants: Vec<(String, ColType)>,
    sql: Vec<String>,
}

impl Fixed {
    fn add(&mut self, name: &str, typed: &Typed) {
        if !self.constants.iter().any(|(known, _)| known == name) {
            let at = self.constants.len();
            self.sql.push(format!("min({}) AS k{at}", typed.sql));
            self.constants.push((name.to_owned(), typed.ty));
        }
    }

    /// The tags and the name of one subtable.
    fn of_table(&mut self, select: &Select, scope: &Scope, by_table: bool) -> Result<(), SqlError> {
        for column in scope.columns.iter().filter(|column| column.tag && by_table) {
            let items = select.items.iter().chain(&select.partition_by);
            let mentioned = items
                .map(|item| &item.expr)
                .any(|expr| any(expr, &|part| column_of(part) == Some(column.name.as_str())));
            if mentioned {
                self.add(&column.name, &scope.use_column(column));
            }
        }
        let mut items = select.items.iter();
        if scope.table.is_some() && items.any(|item| any(&item.expr, &is_tbname)) {
            self.add("tbname", &scope.table_name()?);
        }
        Ok(())
    }
}

fn bad_range() -> SqlError {
    SqlError::new(0x263B, "This FILL does not fit the RANGE")
}

fn column(name: String, ty: ColType, sql: String) -> ScopeColumn {
    ScopeColumn {
        name,
        ty,
        sql,
        tag: false,
    }
}

const fn mode(mode: FillMode) -> &'static str {
    match mode {
        FillMode::Prev => "prev",
        FillMode::Next => "next",
        FillMode::Near => "near",
        FillMode::Linear => "linear",
        _ => "own",
    }
}

/// How values are interpolated.
const fn kind(ty: Ty) -> char {
    match ty {
        Ty::Bool => 'b',
        Ty::UBigInt => 'u',
        Ty::Float => 'f',
        Ty::Double => 'd',
        _ => 'i',
    }
}

fn is_interp(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Function { name, .. } if name == "interp")
}

/// Functions over series but interp.
fn is_series(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Function { name, .. } if name != "interp" && class(name).is_some())
}

fn found(expr: &Expr) -> Vec<&Expr> {
    if is_interp(expr) {
        return vec![expr];
    }
    super::rewrite::parts(expr)
        .into_iter()
        .flat_map(found)
        .collect()
}

fn column_of(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Column { name, .. } => Some(&name.name),
        _ => None,
    }
}
