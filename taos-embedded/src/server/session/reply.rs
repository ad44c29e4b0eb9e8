//! Replies that every kind of session gives.

use bytes::Bytes;
use serde::Serialize;
use taos_ws::protocol::{ADAPTER_ERROR, EmptyBody, ServerReply};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{Kind, Ticket};
use crate::engine::SqlError;

impl<S: Kind> Ticket<S> {
    /// `timing` in the signed form of text replies.
    pub(in crate::server) fn signed_timing(&self) -> i64 {
        i64::try_from(self.timing()).unwrap_or(i64::MAX)
    }

    /// Sends a text message.
    pub(in crate::server) fn send_text(&self, text: String) {
        let text = Bytes::from(text);
        self.conn.outbox.send(OpCode::Data(Data::Text), &[], text);
    }

    /// Sends a binary message whose payload is `head` followed by `body`.
    pub(in crate::server) fn binary(&self, head: &[u8], body: Bytes) {
        self.conn
            .outbox
            .send(OpCode::Data(Data::Binary), head, body);
    }

    /// Answers with success.
    pub(in crate::server) fn ok(&self, action: &str, req_id: u64, body: impl Serialize) {
        self.send_text(ServerReply::ok(action, req_id, self.signed_timing(), body).encode());
    }

    /// Answers with success and nothing beyond the envelope.
    pub(in crate::server) fn done(&self, action: &str, req_id: u64) {
        self.ok(action, req_id, EmptyBody {});
    }

    /// Answers with an error of the engine.
    pub(in crate::server) fn failed(&self, action: &str, req_id: u64, error: &SqlError) {
        self.send_text(
            ServerReply::error(
                action,
                req_id,
                self.signed_timing(),
                error.code,
                &error.message,
            )
            .encode(),
        );
    }

    /// Answers with an error of the layer before the engine.
    pub(in crate::server) fn refused(&self, action: &str, req_id: u64, message: &str) {
        self.send_text(
            ServerReply::error(action, req_id, self.signed_timing(), ADAPTER_ERROR, message)
                .encode(),
        );
    }
}
