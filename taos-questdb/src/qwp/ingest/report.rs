//! What a sender over QWP tells about its progress and its refusals.

use crate::settings::{Policies, Policy};

/// How far a message has to be to be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AckLevel {
    /// The server took it and committed it.
    #[default]
    Ok,
    /// It is in the object store; needs QuestDB Enterprise and `request_durable_ack=on`.
    Durable,
}

/// Why a message was refused (questdb §12.7).
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QwpWsErrorCategory {
    /// Types or columns of the table are others.
    SchemaMismatch,
    /// The message could not be read.
    ParseError,
    /// The server failed inside.
    InternalError,
    /// The user may not do this.
    SecurityError,
    /// The rows could not be written.
    WriteError,
    /// The server does not take rows at the moment.
    NotWritable,
    /// The server said something that is not the protocol.
    ProtocolViolation,
    /// A status that this client does not know.
    Unknown,
}

/// What was done about a refusal (questdb §12.9).
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QwpWsErrorPolicy {
    /// The message is sent again.
    Retriable,
    /// The message is sent again, to another server if there is one.
    RetriableOther,
    /// The sender has stopped.
    Terminal,
}

/// A refusal of one or more messages.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QwpWsSenderError {
    /// Why.
    pub category: QwpWsErrorCategory,
    /// What was done.
    pub applied_policy: QwpWsErrorPolicy,
    /// The status byte of the answer, if there was an answer.
    pub status: Option<u8>,
    /// The server's words.
    pub message: Option<String>,
    /// The number of the message on its connection.
    pub message_sequence: Option<u64>,
    /// The first frame concerned.
    pub from_fsn: u64,
    /// The last frame concerned.
    pub to_fsn: u64,
}

/// Counts since the sender was made.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QwpWsTotals {
    /// Frames written to a connection, each time they are.
    pub frames_sent: u64,
    /// Of these, those that had been written before.
    pub frames_replayed: u64,
    /// Frames the server took.
    pub acks: u64,
    /// Connections tried after the first one.
    pub reconnect_attempts: u64,
    /// Of these, those that came about.
    pub reconnects_succeeded: u64,
    /// Refusals.
    pub server_errors: u64,
}

const DICTIONARY_GAP: u8 = 0x0D;

/// Whether the server lacks symbols, which a new connection gives it.
pub(super) const fn is_dictionary_gap(status: u8) -> bool {
    status == DICTIONARY_GAP
}

pub(super) const fn category(status: u8) -> QwpWsErrorCategory {
    match status {
        0x03 => QwpWsErrorCategory::SchemaMismatch,
        0x05 => QwpWsErrorCategory::ParseError,
        0x06 => QwpWsErrorCategory::InternalError,
        0x08 => QwpWsErrorCategory::SecurityError,
        0x09 => QwpWsErrorCategory::WriteError,
        0x0C => QwpWsErrorCategory::NotWritable,
        _ => QwpWsErrorCategory::Unknown,
    }
}

/// What to do about a refusal: the category's own setting, the one for all, the protocol's default.
pub(super) fn policy(policies: &Policies, category: QwpWsErrorCategory) -> QwpWsErrorPolicy {
    use QwpWsErrorCategory as C;
    let (own, default) = match category {
        C::ProtocolViolation => return QwpWsErrorPolicy::Terminal,
        C::Unknown => return QwpWsErrorPolicy::Retriable,
        C::NotWritable => (Policy::Auto, QwpWsErrorPolicy::RetriableOther),
        C::SchemaMismatch => (policies.schema, QwpWsErrorPolicy::Terminal),
        C::ParseError => (policies.parse, QwpWsErrorPolicy::Terminal),
        C::SecurityError => (policies.security, QwpWsErrorPolicy::Terminal),
        C::InternalError => (policies.internal, QwpWsErrorPolicy::Retriable),
        C::WriteError => (policies.write, QwpWsErrorPolicy::Retriable),
    };
    [own, policies.server]
        .into_iter()
        .find_map(|policy| match policy {
            Policy::Auto => None,
            Policy::Terminal => Some(QwpWsErrorPolicy::Terminal),
            Policy::Retriable => Some(QwpWsErrorPolicy::Retriable),
            Policy::RetriableOther => Some(QwpWsErrorPolicy::RetriableOther),
        })
        .unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_goes_before_the_server_and_that_before_the_default() {
        let mut policies = Policies::default();
        let of = |policies: &Policies, status| policy(policies, category(status));
        assert_eq!(of(&policies, 0x03), QwpWsErrorPolicy::Terminal);
        assert_eq!(of(&policies, 0x06), QwpWsErrorPolicy::Retriable);
        policies.server = Policy::RetriableOther;
        policies.schema = Policy::Retriable;
        assert_eq!(of(&policies, 0x03), QwpWsErrorPolicy::Retriable);
        assert_eq!(of(&policies, 0x05), QwpWsErrorPolicy::RetriableOther);
        policies.server = Policy::Terminal;
        assert_eq!(of(&policies, 0x06), QwpWsErrorPolicy::Terminal);
        assert_eq!(of(&policies, 0x77), QwpWsErrorPolicy::Retriable, "unknown");
    }
}
