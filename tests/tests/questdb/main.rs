//! What only a real QuestDB can tell. Ignored without one: `cargo xtask test` starts it and runs them.

mod server;
