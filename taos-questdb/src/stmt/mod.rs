//! Prepared INSERT statements, whose bound columns become rows of a buffer.
