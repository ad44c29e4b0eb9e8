//! Row buffers (questdb §4).
