//! The release that the server answers as: an older one lacks the newer requests, so that the ways round
//! them in clients can be tried (taosadapter-ws §16).

use taos_query::{ErrorKind, RawError, RawResult};
use taos_ws::protocol::{BinaryAction, Version};

/// What a release may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Feature {
    /// The binary requests binary_query and fetch_raw_block.
    BinarySql,
    /// `total_rows` in the reply to schemaless data.
    TotalRows,
    /// `table_name_key` with schemaless data.
    TableNameKey,
    /// Statements of the second generation.
    Stmt2,
    /// `options_connection`, and `tz`, `app` and `ip` in `conn`.
    ConnectionOptions,
    /// The request `validate_sql`.
    ValidateSql,
    /// The request `check_server_status`.
    CheckServerStatus,
    /// Precision and scale of each column in the reply to a query.
    FieldPrecisions,
    /// The version in the reply to `conn`.
    VersionInConn,
    /// The request `stmt2_bind_exec`.
    Stmt2BindExec,
    /// The request `get_connection_info`.
    ConnectionInfo,
    /// `stmt2_result` of an INSERT is refused, not a result without columns.
    NoResultOfInsert,
    /// Decimals bound in the second generation as text, not as integers without their point.
    DecimalText,
    /// TMQ's request `fetch_raw_data`.
    FetchRawData,
    /// `enable_batch_meta` in `subscribe`.
    BatchMeta,
    /// The timeouts in `subscribe`.
    ConsumerTimeouts,
    /// `config` in `subscribe`, and `message_id` in `poll`.
    ConsumerConfig,
    /// What is wrong with a consumer's configuration is named, under a code of its own.
    NamedConfig,
    /// The version in the reply to `subscribe`.
    VersionInSubscribe,
}

impl Feature {
    const fn since(self) -> Version {
        match self {
            Self::BinarySql => Version::BINARY_SQL,
            Self::TotalRows => Version::new([3, 3, 2, 7]),
            Self::TableNameKey => Version::TABLE_NAME_KEY,
            Self::Stmt2 => Version::new([3, 3, 3, 0]),
            Self::ConnectionOptions => Version::CONNECTION_OPTIONS,
            Self::ValidateSql | Self::CheckServerStatus | Self::FieldPrecisions => {
                Version::VALIDATE_SQL
            }
            Self::VersionInConn => Version::new([3, 3, 7, 0]),
            Self::ConnectionInfo | Self::NoResultOfInsert => Version::new([3, 4, 0, 0]),
            Self::Stmt2BindExec => Version::new([3, 4, 1, 13]),
            Self::DecimalText => Version::DECIMAL_TEXT,
            Self::FetchRawData => Version::new([3, 3, 1, 2]),
            Self::BatchMeta => Version::new([3, 3, 2, 0]),
            Self::ConsumerTimeouts => Version::new([3, 3, 3, 0]),
            Self::ConsumerConfig => Version::new([3, 3, 6, 0]),
            Self::NamedConfig => Version::new([3, 3, 6, 27]),
            Self::VersionInSubscribe => Version::new([3, 3, 7, 0]),
        }
    }
}

/// A release as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Emulated {
    text: String,
    version: Version,
}

impl Default for Emulated {
    fn default() -> Self {
        Self {
            text: Self::OWN.to_owned(),
            version: Version::parse(Self::OWN),
        }
    }
}

impl Emulated {
    /// What this server is unless told otherwise: the release whose recordings it is checked with, and
    /// which no client refuses (clients-need §1).
    pub(crate) const OWN: &str = "3.3.7.5";

    /// The release of this name.
    ///
    /// # Errors
    /// `Config` for what is not four numbers, and for releases that did not have `/ws` yet or are not
    /// known here.
    pub(crate) fn parse(text: &str) -> RawResult<Self> {
        let four = text.split('.').count() == 4
            && text.split('.').all(|part| {
                (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
            });
        let version = Version::parse(text);
        let served = Version::new([3, 2, 2, 0])..Version::new([3, 5, 0, 0]);
        if !four || !served.contains(&version) {
            return Err(RawError::of(
                ErrorKind::Config,
                format!(
                    "cannot answer as version {text:?}; give four numbers from 3.2.2.0 on and below \
                     3.5, such as 3.2.3.0, 3.3.2.0 or 3.4.1.0"
                ),
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            version,
        })
    }

    /// As clients are told it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the release has it.
    pub(crate) fn knows(&self, feature: Feature) -> bool {
        self.version >= feature.since()
    }

    /// Whether decimals are bound as text in the second generation, else as integers without their point.
    pub(crate) fn stmt2_decimals_as_text(&self) -> bool {
        self.knows(Feature::DecimalText)
    }

    /// Whether the release has a text request of this name; true for those that no release has.
    pub(crate) fn knows_action(&self, action: &str) -> bool {
        match action {
            "options_connection" => self.knows(Feature::ConnectionOptions),
            "get_connection_info" => self.knows(Feature::ConnectionInfo),
            "check_server_status" => self.knows(Feature::CheckServerStatus),
            _ if action.starts_with("stmt2_") => self.knows(Feature::Stmt2),
            _ => true,
        }
    }

    /// Whether the release has a binary request.
    pub(crate) fn knows_binary(&self, action: BinaryAction) -> bool {
        match action {
            BinaryAction::BinaryQuery | BinaryAction::FetchRawBlock => {
                self.knows(Feature::BinarySql)
            }
            BinaryAction::Stmt2Bind => self.knows(Feature::Stmt2),
            BinaryAction::Stmt2BindExec => self.knows(Feature::Stmt2BindExec),
            BinaryAction::ValidateSql => self.knows(Feature::ValidateSql),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_lacks_what_came_after_it() {
        let knows = |text: &str, feature| Emulated::parse(text).unwrap().knows(feature);
        for (feature, old, middle, own, new) in [
            (Feature::BinarySql, false, true, true, true),
            (Feature::Stmt2, false, false, true, true),
            (Feature::TotalRows, false, false, true, true),
            (Feature::ConnectionOptions, false, false, true, true),
            (Feature::ValidateSql, false, false, true, true),
            (Feature::VersionInConn, false, false, true, true),
            (Feature::DecimalText, false, false, false, true),
        ] {
            let known = ["3.2.3.0", "3.3.2.0", Emulated::OWN, "3.4.1.0"].map(|v| knows(v, feature));
            assert_eq!(known, [old, middle, own, new], "{feature:?}");
        }
        let old = Emulated::parse("3.2.3.0").unwrap();
        assert!(!old.knows_action("stmt2_init") && old.knows_action("init"));
        assert!(!old.knows_binary(BinaryAction::BinaryQuery));
        assert!(old.knows_binary(BinaryAction::SetTags));
        assert!(!Emulated::default().stmt2_decimals_as_text());
    }

    #[test]
    fn a_version_that_cannot_be_answered_as_is_refused_by_name() {
        for text in [
            "",
            "3.3",
            "3.3.7.5.alpha",
            "3.3.x.0",
            "2.6.0.1",
            "3.2.1.9",
            "4.0.0.0",
            "3.3.+1.0",
        ] {
            let error = Emulated::parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
