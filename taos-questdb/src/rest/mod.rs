//! Results of `/exec`, read while they arrive, without I/O (questdb §10.1).
