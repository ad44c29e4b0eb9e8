//! Configuration strings (questdb §1).
