//! What is stored of an entry is what is read; what is read of anything else is an error.
