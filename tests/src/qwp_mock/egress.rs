//! The half that answers queries (questdb §13).
