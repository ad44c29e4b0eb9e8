//! The replay server: answers version, login, queries and fetches with frames prepared beforehand.
//!
//! Only request ids, result ids and the number asked for by `select N` are patched in. It knows two
//! bulk results (six columns, and the four of fixed width) and `select N`; everything else that a
//! client asks on its own is answered by one row of text. What is written to it is counted and forgotten.

mod blocks;
mod session;
mod sink;
pub(crate) mod ws;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

pub use blocks::{ROWS_PER_BLOCK, Shelf};

/// Starts a server on a free port of the loopback interface; it lives as long as the process.
pub fn start(shelf: Shelf) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let shelf = Arc::new(shelf);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || {
                // A client that goes away in the middle is no news here.
                let _ = session::serve(stream, &shelf);
            });
        }
    });
    Ok(address)
}
