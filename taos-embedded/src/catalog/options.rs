//! The options of a database: defaults, ranges and how they are written (DIALECT §11, §13).

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use taos_query::common::Precision;

use crate::sql::SqlError;
use crate::sql::ast::{DurationUnit, OptionValue, SqlOption};

/// Bad option of CREATE or ALTER DATABASE.
const BAD_OPTION: u32 = 0x2619;
/// Options that do not go together.
const REFUSED: u32 = 0x0382;
const OUT_OF_DNODES: u32 = 0x0334;
const DAY: i64 = 1440;

/// Options that are what they are here, as SHOW CREATE DATABASE writes them.
const FIXED: &[(&str, &str)] = &[
    ("strict", "on"),
    ("encrypt_algorithm", "none"),
    ("ss_keeplocal", "525600m"),
    ("compact_interval", "0d"),
    ("compact_time_range", "0d,0d"),
    ("compact_time_offset", "0h"),
    ("retentions", ""),
    ("dnodes", ""),
    ("with_arbitrator", "0"),
];

/// What a database was created with. Options about resources that this server does not manage
/// itself are kept and shown as they were given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    pub(crate) precision: u8,
    /// KEEP in minutes.
    pub(crate) keep: [i64; 3],
    /// DURATION in minutes.
    pub(crate) duration: i64,
    pub(crate) cachemodel: String,
    pub(crate) encrypt_algorithm: String,
    /// Whole numbers in the order of [`NUMBERS`].
    pub(crate) numbers: Vec<i64>,
}

/// Name, spelling in errors, default, lowest, highest, whether ALTER may change it.
type Number = (&'static str, &'static str, i64, i64, i64, bool);

const INT_MAX: i64 = 2_147_483_647;

const NUMBERS: &[Number] = &[
    ("buffer", "buffer", 256, 3, 16_384, true),
    ("cachesize", "cacheSize", 1, 1, 65_536, true),
    ("comp", "compression", 2, 0, 2, false),
    ("wal_fsync_period", "fsyncPeriod", 3000, 0, 180_000, true),
    ("maxrows", "maxRowsPerBlock", 4096, 200, 10_000_000, false),
    ("minrows", "minRowsPerBlock", 100, 10, 1_000_000, true),
    ("stt_trigger", "sttTrigger", 2, 1, 16, true),
    ("pages", "pages", 256, 64, INT_MAX - 1, true),
    ("pagesize", "pagesize", 4, 1, 16_384, false),
    ("replica", "replications", 1, 1, 3, true),
    ("wal_level", "walLevel", 1, 0, 2, true),
    ("vgroups", "vgroups", 2, 1, 1024, false),
    ("single_stable", "singleStable", 0, 0, 1, false),
    ("table_prefix", "hashPrefix", 0, -191, 191, false),
    ("table_suffix", "hashSuffix", 0, -191, 191, false),
    ("tsdb_pagesize", "tsdbPageSize", 4, 1, 16_384, false),
    (
        "wal_retention_period",
        "walRetentionPeriod",
        3600,
        -1,
        INT_MAX,
        true,
    ),
    (
        "wal_retention_size",
        "walRetentionSize",
        0,
        -1,
        INT_MAX,
        true,
    ),
    ("keep_time_offset", "keepTimeOffset", 0, 0, 23, true),
    (
        "ss_chunkpages",
        "ssChunkSize",
        131_072,
        131_072,
        1_048_576,
        false,
    ),
    ("ss_compact", "ssCompact", 1, 0, 1, true),
];

impl Default for Options {
    fn default() -> Self {
        Self {
            precision: 0,
            keep: [3650 * DAY; 3],
            duration: 10 * DAY,
            cachemodel: "none".to_owned(),
            encrypt_algorithm: "none".to_owned(),
            numbers: NUMBERS.iter().map(|n| n.2).collect(),
        }
    }
}

fn bad(text: impl Into<String>) -> SqlError {
    SqlError::new(BAD_OPTION, text)
}

/// Minutes as the server writes them: whole days, whole hours, or minutes.
pub(crate) fn minutes_text(minutes: i64) -> String {
    if minutes % DAY == 0 {
        format!("{}d", minutes / DAY)
    } else if minutes % 60 == 0 {
        format!("{}h", minutes / 60)
    } else {
        format!("{minutes}m")
    }
}

/// A number of days or a duration, in minutes.
fn minutes(value: &OptionValue) -> Option<i64> {
    match value {
        OptionValue::Integer(days) => days.checked_mul(DAY),
        OptionValue::Duration(d) => match d.unit {
            DurationUnit::Minute => Some(d.value),
            DurationUnit::Hour => d.value.checked_mul(60),
            DurationUnit::Day => d.value.checked_mul(DAY),
            _ => None,
        },
        _ => None,
    }
}

/// Takes an option only as it is anyway.
fn fixed(option: &SqlOption, (name, usual): &(&str, &str)) -> Result<(), SqlError> {
    let texts: Vec<String> = option.values.iter().map(fixed_text).collect();
    if texts.join(",") == *usual {
        return Ok(());
    }
    Err(SqlError::unsupported(format!("database option {name}")))
}

fn fixed_text(value: &OptionValue) -> String {
    match value {
        OptionValue::Duration(d) => {
            let unit = match d.unit {
                DurationUnit::Minute => "m",
                DurationUnit::Hour => "h",
                DurationUnit::Day => "d",
                _ => "",
            };
            format!("{}{unit}", d.value)
        }
        OptionValue::Text(text) => text.to_ascii_lowercase(),
        other => value_text(other),
    }
}

fn value_text(value: &OptionValue) -> String {
    match value {
        OptionValue::Integer(v) => v.to_string(),
        OptionValue::Float(v) => v.to_string(),
        OptionValue::Text(v) | OptionValue::Word(v) => v.clone(),
        OptionValue::Duration(d) => d.value.to_string(),
    }
}

impl Options {
    pub(crate) fn precision(&self) -> Precision {
        Precision::from_u8_option(self.precision).unwrap_or_default()
    }

    /// A whole-number option by name.
    pub(crate) fn number(&self, name: &str) -> i64 {
        NUMBERS
            .iter()
            .position(|n| n.0 == name)
            .and_then(|at| self.numbers.get(at))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn keep_text(&self) -> String {
        self.keep.map(minutes_text).join(",")
    }

    /// The options of a CREATE DATABASE, or these with those of an ALTER DATABASE.
    ///
    /// # Errors
    /// 0x2619 for a value out of range, 0x2600 for an option that does not exist here.
    pub(crate) fn with(
        mut self,
        options: &[SqlOption],
        alter: bool,
        sql: &str,
    ) -> Result<Self, SqlError> {
        for option in options {
            self.set(option, alter, sql)?;
        }
        let [keep0, keep1, keep2] = self.keep;
        if !(keep2 >= keep1 && keep1 >= keep0 && keep0 >= self.duration.saturating_mul(3)) {
            return Err(bad(
                "Invalid duration value, should be keep2 >= keep1 >= keep0 >= 3 * duration",
            ));
        }
        if self.number("maxrows") < self.number("minrows") {
            return Err(SqlError::new(
                REFUSED,
                "Invalid database options: MINROWS is more than MAXROWS",
            ));
        }
        Ok(self)
    }

    fn set(&mut self, option: &SqlOption, alter: bool, sql: &str) -> Result<(), SqlError> {
        let syntax = || SqlError::syntax(option.span.rest(sql));
        let first = option.values.first().ok_or_else(syntax)?;
        match option.name.as_str() {
            "keep" => {
                let negative = |value: &OptionValue| match value {
                    OptionValue::Integer(value) => *value < 0,
                    OptionValue::Duration(duration) => duration.value < 0,
                    _ => true,
                };
                if option.values.iter().any(negative) {
                    return Err(syntax());
                }
                return self.set_keep(&option.values);
            }
            "cachemodel" => {
                let OptionValue::Text(text) = first else {
                    return Err(syntax());
                };
                if !["none", "last_row", "last_value", "both"].contains(&text.as_str()) {
                    return Err(bad(format!("Invalid option cacheModel: {text}")));
                }
                self.cachemodel.clone_from(text);
                return Ok(());
            }
            "precision" if !alter => {
                let OptionValue::Text(text) = first else {
                    return Err(syntax());
                };
                self.precision = match text.as_str() {
                    "ms" => 0,
                    "us" => 1,
                    "ns" => 2,
                    _ => return Err(bad(format!("Invalid option precision: {text}"))),
                };
                return Ok(());
            }
            "duration" if !alter => {
                let value = minutes(first).unwrap_or(-1);
                if !(60..=5_256_000).contains(&value) {
                    return Err(bad(format!(
                        "Invalid option duration: {value}m, valid range: [60m, 5256000m]"
                    )));
                }
                self.duration = value;
                return Ok(());
            }
            name => {
                if let Some(usual) = FIXED.iter().find(|fixed| fixed.0 == name) {
                    return fixed(option, usual);
                }
            }
        }
        let at = NUMBERS
            .iter()
            .position(|n| n.0 == option.name && (n.5 || !alter))
            .ok_or_else(syntax)?;
        let (Some((_, spelling, _, low, high, _)), Some(slot)) =
            (NUMBERS.get(at), self.numbers.get_mut(at))
        else {
            return Err(syntax());
        };
        let OptionValue::Integer(value) = first else {
            return Err(syntax());
        };
        let may_be_negative = low < &0;
        if *value < 0 && !may_be_negative {
            return Err(syntax());
        }
        if !(low..=high).contains(&value) {
            return Err(bad(format!(
                "Invalid option {spelling}: {value}, valid range: [{low}, {high}]"
            )));
        }
        if option.name == "replica" && *value > 1 {
            return Err(match value {
                2 => SqlError::unsupported("two replicas"),
                _ => SqlError::new(OUT_OF_DNODES, "Out of dnodes"),
            });
        }
        *slot = *value;
        Ok(())
    }

    fn set_keep(&mut self, values: &[OptionValue]) -> Result<(), SqlError> {
        let given: Option<Vec<i64>> = values.iter().map(minutes).collect();
        let keep = match given.as_deref() {
            Some(&[a]) => [a, a, a],
            Some(&[a, b]) => [a, b, b],
            Some(&[a, b, c]) => [a, b, c],
            _ => {
                return Err(bad(
                    "Invalid option keep: one to three days or durations are expected",
                ));
            }
        };
        if keep.iter().any(|k| !(DAY..=525_600_000).contains(k)) {
            let texts: Vec<String> = keep.iter().map(ToString::to_string).collect();
            return Err(bad(format!(
                "Invalid option keep: {} valid range: [1440m, 525600000m]",
                texts.join(", ")
            )));
        }
        self.keep = keep;
        Ok(())
    }

    /// The statement that SHOW CREATE DATABASE answers with.
    pub(crate) fn create_text(&self, name: &str) -> String {
        let n = |option: &str| self.number(option);
        let mut out = format!("CREATE DATABASE `{name}`");
        let _ = write!(
            out,
            " BUFFER {} CACHESIZE {} CACHEMODEL '{}' COMP {} DURATION {}",
            n("buffer"),
            n("cachesize"),
            self.cachemodel,
            n("comp"),
            minutes_text(self.duration),
        );
        let _ = write!(
            out,
            " WAL_FSYNC_PERIOD {} MAXROWS {} MINROWS {} STT_TRIGGER {} KEEP {} PAGES {} PAGESIZE {}",
            n("wal_fsync_period"),
            n("maxrows"),
            n("minrows"),
            n("stt_trigger"),
            self.keep_text(),
            n("pages"),
            n("pagesize"),
        );
        let _ = write!(
            out,
            " PRECISION '{}' REPLICA {} WAL_LEVEL {} VGROUPS {} SINGLE_STABLE {} TABLE_PREFIX {}",
            self.precision(),
            n("replica"),
            n("wal_level"),
            n("vgroups"),
            n("single_stable"),
            n("table_prefix"),
        );
        let _ = write!(
            out,
            " TABLE_SUFFIX {} TSDB_PAGESIZE {} WAL_RETENTION_PERIOD {} WAL_RETENTION_SIZE {}",
            n("table_suffix"),
            n("tsdb_pagesize"),
            n("wal_retention_period"),
            n("wal_retention_size"),
        );
        let _ = write!(
            out,
            " KEEP_TIME_OFFSET {} ENCRYPT_ALGORITHM '{}' SS_CHUNKPAGES {} SS_KEEPLOCAL 525600m \
             SS_COMPACT {} COMPACT_INTERVAL 0d COMPACT_TIME_RANGE 0d,0d COMPACT_TIME_OFFSET 0h",
            n("keep_time_offset"),
            self.encrypt_algorithm,
            n("ss_chunkpages"),
            n("ss_compact"),
        );
        out
    }
}
