//! Queries over QWP (questdb §13).
