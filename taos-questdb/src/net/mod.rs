//! TCP, TLS and the choice among addresses, without knowledge of requests.
