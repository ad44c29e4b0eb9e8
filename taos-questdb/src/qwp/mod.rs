//! QWP, the binary protocol over WebSocket, in both directions (questdb §12 to §14).

mod egress;
mod ingest;
mod socket;
mod wire;
