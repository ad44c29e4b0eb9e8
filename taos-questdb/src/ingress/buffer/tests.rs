//! The vectors of questdb §15.
