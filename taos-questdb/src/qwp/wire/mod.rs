//! The wire format of QWP, without I/O (questdb §12.2 to §12.7, §13.2).
