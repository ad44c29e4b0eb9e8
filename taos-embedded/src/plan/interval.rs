//! INTERVAL: windows of one width, by ticks or by the calendar (DIALECT §6).

use std::cell::Cell;

use taos_query::common::Precision;

use super::planner::{Planner, WindowSql};
use super::scope::Scope;
use super::time::tick;
use crate::sql::SqlError;
use crate::sql::ast::{Duration, DurationUnit, Width, Window};

const DAY_NANOS: i64 = 86_400_000_000_000;

/// Whether a text of SQL is the name of a column, which may be said twice.
fn is_name(sql: &str) -> bool {
    sql.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

/// How wide windows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Ticks(i64),
    Months(i64),
}

/// INTERVAL, checked.
#[derive(Debug)]
pub(super) struct Interval {
    pub(super) width: Length,
    /// Ticks from one window to the next; not for months.
    pub(super) step: i64,
    /// Ticks that all windows are moved by.
    pub(super) offset: i64,
    precision: Precision,
    /// What functions of months take as their last argument.
    zone_arg: String,
    /// Zone and present time, where windows begin at a zone's midnight.
    days: Option<String>,
}

impl Interval {
    /// The last window that begins at or before a time.
    pub(super) fn floor(&self, time: &str) -> String {
        let (step, offset, unit) = (self.step, self.offset, self.precision.as_u8());
        match (self.width, &self.days) {
            (Length::Months(months), _) => format!(
                "td_window_months({time}, {months}, {offset}, {unit}{})",
                self.zone_arg
            ),
            (_, Some(zone)) if offset == 0 => {
                format!("td_floor_zone({time}, {step}, {unit}{zone})")
            }
            (_, Some(zone)) => {
                format!("(td_floor_zone(({time} - {offset}), {step}, {unit}{zone}) + {offset})")
            }
            // as an operator of SQLite it costs a tenth of a call
            _ if is_name(time) => {
                let offset = offset.rem_euclid(step.max(1));
                let moved = match offset {
                    0 => time.to_owned(),
                    _ => format!("({time} - {offset})"),
                };
                format!("({time} - ({moved} % {step} + {step}) % {step})")
            }
            _ => format!("td_window_start({time}, {step}, {offset})"),
        }
    }

    /// The first tick behind a window.
    pub(super) fn end(&self, start: &str) -> String {
        let unit = self.precision.as_u8();
        match self.width {
            Length::Ticks(width) => format!("({start} + {width})"),
            Length::Months(months) => {
                format!("td_add_months({start}, {months}, {unit}{})", self.zone_arg)
            }
        }
    }

    pub(super) fn duration(&self, start: &str) -> String {
        match self.width {
            Length::Ticks(width) => width.to_string(),
            Length::Months(_) => format!("({} - {start})", self.end(start)),
        }
    }

    /// The windows of months from the one that begins at `first` to the one at `last`, as rows `ws`.
    pub(super) fn months_between(&self, first: i64, last: i64, months: i64) -> (String, i64) {
        let (unit, zone, offset) = (self.precision.as_u8(), &self.zone_arg, self.offset);
        // No month has fewer days.
        let least = 28 * (DAY_NANOS / tick(self.precision));
        let most = last.saturating_sub(first) / least / months + 1;
        let base = first.saturating_sub(offset);
        let grid = format!(
            "SELECT ws FROM (SELECT td_add_months({base}, value * {months}, {unit}{zone}) + {offset} AS ws \
             FROM generate_series(0, {most})) WHERE ws <= {last}"
        );
        (grid, most + 1)
    }

    /// Whether windows overlap.
    pub(super) fn slides(&self) -> bool {
        matches!(self.width, Length::Ticks(width) if width != self.step)
    }

    /// Whether the start of a window must be found anew for each, because days may differ in length.
    pub(super) const fn in_zone(&self) -> bool {
        self.days.is_some()
    }

    /// Each row's window; with SLIDING one row for each window it lies in.
    pub(super) fn window(
        &self,
        time: &str,
        from: &mut String,
        filters: &mut Vec<String>,
    ) -> WindowSql {
        let mut start = self.floor(time);
        if let (true, Length::Ticks(width)) = (self.slides(), self.width) {
            let step = self.step;
            let most = width / step + i64::from(width % step != 0);
            from.push_str(&format!(
                " CROSS JOIN (SELECT value AS k FROM generate_series(0, {})) w",
                most - 1
            ));
            start = format!("({start} - w.k * {step})");
            filters.push(format!("{time} < {start} + {width}"));
        }
        WindowSql {
            end: self.end(&start),
            duration: self.duration(&start),
            group: start.clone(),
            start,
            having: None,
            state: None,
            state_used: Cell::default(),
            sliced: true,
        }
    }
}

fn too_small(precision: Precision) -> SqlError {
    let unit = match precision {
        Precision::Millisecond => "ms",
        Precision::Microsecond => "us",
        Precision::Nanosecond => "ns",
    };
    SqlError::new(0x2615, format!("Interval cannot be less than 1 {unit}"))
}

impl Planner<'_> {
    /// Checks INTERVAL in the order of the server: width, offset, sliding.
    pub(super) fn interval(&self, window: &Window, scope: &Scope) -> Result<Interval, SqlError> {
        let Window::Interval {
            width,
            offset,
            auto,
            sliding,
        } = window
        else {
            return Err(SqlError::unsupported("window"));
        };
        let precision = scope.precision;
        let length = length_of(*width, precision)?;
        if matches!(length, Length::Ticks(ticks) | Length::Months(ticks) if ticks < 1) {
            return Err(too_small(precision));
        }
        let mut interval = Interval {
            width: length,
            step: match length {
                Length::Ticks(ticks) => ticks,
                Length::Months(_) => 1,
            },
            offset: 0,
            precision,
            zone_arg: self.zone_arg(),
            days: in_days(*width).then(|| self.day_zone()).flatten(),
        };
        if let Some(offset) = offset {
            interval.offset = offset_of(*width, length, *offset, precision)?;
        }
        if let Some(sliding) = sliding {
            interval.step = sliding_of(length, *sliding, precision)?;
        }
        if *auto {
            self.start_at_range(&mut interval)?;
        }
        Ok(interval)
    }

    /// INTERVAL(w, AUTO): windows begin where the time range does, if it has a beginning.
    fn start_at_range(&self, interval: &mut Interval) -> Result<(), SqlError> {
        let low = self.ranges.last().map_or(i64::MIN, |range| range.low);
        if matches!(low, i64::MIN | i64::MAX) {
            return Ok(());
        }
        if interval.slides() || matches!(interval.width, Length::Months(_)) {
            return Err(SqlError::unsupported("interval(auto) of this form"));
        }
        let start = self.evaluate(&interval.floor(&low.to_string()))?;
        interval.offset = start.map_or(0, |start| low.saturating_sub(start));
        Ok(())
    }
}

fn length_of(width: Width, precision: Precision) -> Result<Length, SqlError> {
    if let Width::Duration(duration) = width
        && let Some(months) = duration.months()
    {
        let years = duration.unit == DurationUnit::Year;
        // The server counts from 1900, this one from 1970.
        let fits = if years { 70 } else { 840 };
        if duration.value > 1 && fits % duration.value != 0 {
            return Err(SqlError::unsupported(
                "windows of so many months or years that the count since 1900 decides",
            ));
        }
        return Ok(Length::Months(months));
    }
    let ticks = Planner::ticks(width, precision)?.unwrap_or_default();
    let most = (DAY_NANOS / tick(precision)).saturating_mul(366_000);
    if ticks > most {
        return Err(SqlError::unsupported("an interval of more than 1000 years"));
    }
    Ok(Length::Ticks(ticks))
}

fn offset_of(
    width: Width,
    length: Length,
    offset: Width,
    precision: Precision,
) -> Result<i64, SqlError> {
    let day = DAY_NANOS / tick(precision);
    let too_big = || SqlError::new(0x262F, "Interval offset should be shorter than interval");
    let months = match offset {
        Width::Duration(duration) => duration.months().map(|months| (duration, months)),
        Width::Ticks(_) => None,
    };
    let ticks = match months {
        None => Planner::ticks(offset, precision)?.unwrap_or_default(),
        Some((_, months)) => months,
    };
    let negative = matches!(offset, Width::Duration(duration) if duration.value < 0);
    if negative || ticks < 0 {
        return Err(SqlError::new(0x262D, "Interval offset cannot be negative"));
    }
    if ticks == 0 {
        return Err(SqlError::unsupported("an interval offset of 0"));
    }
    let Some((duration, months)) = months else {
        let wide = match length {
            Length::Ticks(width) => ticks >= width,
            Length::Months(width) => ticks / day / 28 >= width,
        };
        return if wide { Err(too_big()) } else { Ok(ticks) };
    };
    let in_years = |width| {
        matches!(
            width,
            Width::Duration(Duration {
                unit: DurationUnit::Year,
                ..
            })
        )
    };
    match length {
        Length::Ticks(width) if months >= width / day / 28 => Err(too_big()),
        Length::Months(_) if !in_years(width) && duration.unit == DurationUnit::Year => {
            Err(SqlError::new(
                0x262E,
                "Cannot use 'year' as offset when interval is 'month'",
            ))
        }
        Length::Months(width) if months >= width => Err(too_big()),
        // The server takes a month for 31 days, which is right after New Year.
        Length::Months(_) if in_years(width) && months == 1 => Ok(31 * day),
        _ => Err(SqlError::unsupported("an interval offset in months")),
    }
}

fn too_narrow() -> SqlError {
    SqlError::new(
        0x2632,
        "sliding value can not less than 1% of interval value",
    )
}

fn sliding_of(length: Length, sliding: Width, precision: Precision) -> Result<i64, SqlError> {
    let Some(step) = Planner::ticks(sliding, precision)? else {
        return Err(SqlError::new(
            0x2630,
            "Does not support sliding when interval is natural month/year",
        ));
    };
    let Length::Ticks(width) = length else {
        return Err(SqlError::unsupported("sliding windows of months"));
    };
    if step < 1 || width / step > 100 {
        return Err(too_narrow());
    }
    if step > width {
        return Err(SqlError::new(
            0x2631,
            "sliding value no larger than the interval value",
        ));
    }
    // The server has a least step of 10 ms; whether it counts it in the unit of the database or in the one that is
    // written is not known.
    let ours = 10_000_000 / tick(precision);
    let written = match sliding {
        Width::Ticks(_) => ours,
        Width::Duration(duration) => 10_000_000 / duration.unit.nanoseconds().unwrap_or(i64::MAX),
    };
    if step < ours.min(written) {
        return Err(too_narrow());
    }
    if step < ours.max(written) {
        return Err(SqlError::unsupported("sliding below 10 milliseconds"));
    }
    Ok(step)
}

/// Whether a width is in days or weeks, which begin at midnight.
const fn in_days(width: Width) -> bool {
    matches!(
        width,
        Width::Duration(Duration {
            unit: DurationUnit::Day | DurationUnit::Week,
            ..
        })
    )
}
