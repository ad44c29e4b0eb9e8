//! What topics make of logs.
