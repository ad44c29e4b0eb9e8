//! Safe owners of C handles. Only here are the library's functions called.
