//! Strings that must be refused.

/// Each string and what its error says. All of them are configuration errors.
pub(super) const CASES: &[(&str, &[&str])] = &[
    // Grammar.
    ("", &["scheme", "its end"]),
    (";", &["scheme", "';'", "position 0"]),
    ("::addr=h", &["scheme", "position 0"]),
    ("http", &["addr"]),
    ("http::", &["addr"]),
    ("http:", &["separator", "position 4"]),
    (
        "http://localhost:9000",
        &["separator", "http::addr=host:9000;"],
    ),
    ("tcps://h", &["separator", "tcps::addr=host:9009;"]),
    (
        "questdb://h:9000",
        &["http::addr=host:9000;", "`TaosBuilder::from_dsn`"],
    ),
    ("questdb+ws://h", &["http::addr=host:9000;"]),
    ("http:x", &["separator", "position 4"]),
    ("http:addr=h", &["separator", "position 4"]),
    ("http ::addr=h", &["separator", "' '", "position 4"]),
    ("http::addr", &["=", "`addr`", "position 10", "its end"]),
    ("http::addr;", &["=", "`addr`", "position 10", "';'"]),
    ("http::=h;", &["key", "position 6"]),
    ("http::addr=h;;;", &["host", "character"]),
    (
        "http::addr=h; retry_timeout=1",
        &["key", "position 13", "' '"],
    ),
    ("http::addr=h;a.b=1", &["position 14", "another character"]),
    ("http::addr=h;clé=1", &["position 15", "written `;;`"]),
    (
        "http::addr=h;password=a\u{1}b",
        &["'\\u{1}'", "position 23", "`password`"],
    ),
    (
        "http::addr=h;password=é\u{7f}",
        &["'\\u{7f}'", "position 24"],
    ),
    (
        "http::addr=h;password=\u{9f}",
        &["'\\u{9f}'", "position 22"],
    ),
    ("http::addr=h\n", &["'\\n'", "position 12", "`addr`"]),
    (
        "http::addr=a:1;addr=b:1;",
        &["duplicate", "`addr`", "position 15"],
    ),
    (
        "http::addr=h;token=a;token=a;",
        &["duplicate", "`token`", "position 21"],
    ),
    (
        "ws::addr=h;token=a;addr=g;token=b;",
        &["duplicate", "`token`", "position 26"],
    ),
    // Services.
    ("xyz::addr=h;", &["`xyz`", "http, https, tcp, tcps, ws"]),
    ("udps::addr=h;", &["`udps`"]),
    ("udp::addr=h;", &["`udp`", "datagrams"]),
    ("UDP::addr=h;", &["datagrams"]),
    // Addresses.
    ("http::retry_timeout=5;", &["addr"]),
    ("http::addr=;", &["empty entry"]),
    ("http::addr=:9000;", &["host", "empty"]),
    ("http::addr=h:;", &["port", "empty"]),
    ("http::addr=h:0;", &["port", "1 to 65535"]),
    ("http::addr=h:65536;", &["port", "1 to 65535"]),
    ("http::addr=::1;", &["more than one colon", "[::1]:9000"]),
    ("tcp::addr=fe80::1;", &["more than one colon", "[::1]:9009"]),
    ("http::addr=[::1;", &["`]`"]),
    ("http::addr=[::1]9000;", &["only a port"]),
    ("http::addr=[host]:9000;", &["IPv6"]),
    ("http::addr=a:1,a:1;", &["twice"]),
    ("http::addr=a:1,;", &["empty entry"]),
    ("http::addr=user:secret@h;", &["`@`", "`username`"]),
    ("http::addr=a b;", &["host", "character"]),
    ("ws::addr=a:1,a:1;", &["twice", "entry 2"]),
    ("ws::addr=a:1;addr=a:1;", &["twice"]),
    ("ws::addr=a,a:9000;", &["twice"]),
    ("ws::addr=a:1,;", &["empty entry"]),
    ("ws::addr=a:1,,b:1;", &["empty entry"]),
    ("ws::addr=::1;", &["more than one colon"]),
    ("ws::addr=h:0;", &["port", "1 to 65535"]),
    ("ws::addr=h:99999;", &["port", "1 to 65535"]),
    ("ws::addr=h:http;", &["port", "1 to 65535"]),
    ("ws::addr=h:;", &["port", "empty"]),
    ("ws::addr=:1;", &["host", "empty"]),
    ("ws::addr=[::1;", &["`]`"]),
    // Values of the ILP keys.
    (
        "http::addr=h;retry_timeout=-1;",
        &["`retry_timeout`", "milliseconds"],
    ),
    ("http::addr=h;retry_timeout=;", &["`retry_timeout`"]),
    (
        "http::addr=h;retry_timeout=5s;",
        &["`retry_timeout`", "milliseconds"],
    ),
    (
        "http::addr=h;retry_max_backoff_millis=9;",
        &["`retry_max_backoff_millis`", "10 ms"],
    ),
    (
        "http::addr=h;request_timeout=0;",
        &["`request_timeout`", "at least"],
    ),
    ("http::addr=h;request_timeout=x;", &["`request_timeout`"]),
    (
        "http::addr=h;request_min_throughput=-5;",
        &["`request_min_throughput`"],
    ),
    (
        "http::addr=h;protocol_version=4;",
        &["`protocol_version`", "auto, 1, 2, 3"],
    ),
    ("http::addr=h;protocol_version=;", &["`protocol_version`"]),
    (
        "http::addr=h;init_buf_size=1023;",
        &["`init_buf_size`", "1024"],
    ),
    ("http::addr=h;init_buf_size=64k;", &["`init_buf_size`"]),
    (
        "http::addr=h;max_buf_size=1023;",
        &["`max_buf_size`", "1024"],
    ),
    ("http::addr=h;max_buf_size=1m;", &["`max_buf_size`"]),
    ("ws::addr=h;max_buf_size=1m;", &["`max_buf_size`"]),
    (
        "http::addr=h;max_buf_size=99999999999999999999;",
        &["`max_buf_size`"],
    ),
    ("http::addr=h;max_name_len=15;", &["`max_name_len`", "16"]),
    ("tcp::addr=h;auth_timeout=-1;", &["`auth_timeout`"]),
    (
        "ws::addr=h;auth_timeout=0;",
        &["`auth_timeout`", "at least"],
    ),
    (
        "http::addr=h;auto_flush=on;",
        &["`auto_flush`", "auto_flush=off"],
    ),
    (
        "http::addr=h;auto_flush_rows=9;",
        &["`auto_flush_rows`", "flush explicitly"],
    ),
    ("tcp::addr=h;auto_flush_bytes=off;", &["`auto_flush_bytes`"]),
    (
        "ws::addr=h;auto_flush_interval=100;",
        &["`auto_flush_interval`"],
    ),
    // Scopes.
    (
        "tcp::addr=h;retry_timeout=5;",
        &["`retry_timeout`", "http and https", "not for tcp"],
    ),
    (
        "ws::addr=h;retry_timeout=5;",
        &["`retry_timeout`", "not for ws"],
    ),
    (
        "tcps::addr=h;retry_max_backoff_millis=50;",
        &["`retry_max_backoff_millis`", "not for tcps"],
    ),
    (
        "tcp::addr=h;request_timeout=5;",
        &["`request_timeout`", "not for tcp"],
    ),
    (
        "tcp::addr=h;request_min_throughput=5;",
        &["`request_min_throughput`", "not for tcp"],
    ),
    (
        "http::addr=h;bind_interface=127.0.0.1;",
        &["`bind_interface`", "tcp and tcps"],
    ),
    (
        "ws::addr=h;bind_interface=127.0.0.1;",
        &["`bind_interface`", "not for ws"],
    ),
    ("http::addr=h;sf_dir=d;", &["`sf_dir`", "ws and wss"]),
    (
        "tcp::addr=h;max_frame_rejections=3;",
        &["`max_frame_rejections`", "ws and wss"],
    ),
    (
        "http::addr=h;tls_verify=on;",
        &["`tls_verify`", "http is without TLS"],
    ),
    (
        "tcp::addr=h;tls_ca=webpki_roots;",
        &["`tls_ca`", "tcp is without TLS"],
    ),
    (
        "ws::addr=h;tls_roots=x;",
        &["`tls_roots`", "ws is without TLS"],
    ),
    (
        "https::addr=h;tls_roots_password=x;",
        &["`tls_roots_password`", "wss"],
    ),
    (
        "ws::addr=h;tls_roots_password=x;",
        &["`tls_roots_password`", "wss"],
    ),
    // TLS.
    (
        "https::addr=h;tls_verify=off;",
        &["`tls_verify`", "on, unsafe_off"],
    ),
    (
        "https::addr=h;tls_ca=pem_file;",
        &["`tls_ca`", "webpki_roots, os_roots"],
    ),
    ("https::addr=h;tls_ca=WEBPKI_ROOTS;", &["`tls_ca`"]),
    (
        "https::addr=h;tls_roots=no/such/file.pem;",
        &["`tls_roots`", "cannot be opened"],
    ),
    (
        "wss::addr=h;tls_roots_password=x;",
        &["`tls_roots_password` needs `tls_roots`"],
    ),
    // Authentication, judged at the end.
    (
        "tcp::addr=h;username=u;password=p;",
        &["basic", "http only"],
    ),
    ("tcp::addr=h;token=t;", &["token", "http only"]),
    (
        "tcp::addr=h;username=u;",
        &["incomplete ECDSA", "missing: `token`, `token_x`, `token_y`"],
    ),
    (
        "tcp::addr=h;username=u;token=t;token_x=x;",
        &["missing: `token_y`"],
    ),
    (
        "tcps::addr=h;token=t;token_x=x;token_y=y;",
        &["missing: `username`"],
    ),
    (
        "tcp::addr=h;username=u;password=p;token=t;token_x=x;token_y=y;",
        &["incomplete auth"],
    ),
    ("tcp::addr=h;password=p;", &["incomplete auth"]),
    ("http::addr=h;username=u;", &["`password` is missing"]),
    ("https::addr=h;password=p;", &["`username` is missing"]),
    ("ws::addr=h;username=u;", &["`password` is missing"]),
    ("wss::addr=h;password=p;", &["`username` is missing"]),
    (
        "http::addr=h;username=u;token=t;token_x=x;token_y=y;",
        &["ECDSA", "tcp only"],
    ),
    (
        "http::addr=h;username=u;password=p;token=t;",
        &["inconsistent"],
    ),
    ("http::addr=h;username=u;token=t;", &["inconsistent"]),
    ("http::addr=h;token_x=x;", &["inconsistent"]),
    ("ws::addr=h;username=u;token=t;", &["incomplete auth"]),
    (
        "ws::addr=h;username=u;token=t;token_x=x;token_y=y;",
        &["incomplete auth"],
    ),
    // Sizes, judged at the end.
    (
        "http::addr=h;init_buf_size=4096;max_buf_size=2048;",
        &["`init_buf_size` (4096)", "`max_buf_size` (2048)"],
    ),
    // QWP.
    (
        "ws::addr=h;foo=bar;",
        &["unknown key", "position 11", "written `;;`"],
    ),
    ("ws::addr=h;sender_id=a.b;", &["`sender_id`", "letters"]),
    ("ws::addr=h;sender_id=;", &["`sender_id`"]),
    ("ws::addr=h;sf_dir=;", &["`sf_dir`", "not empty"]),
    ("ws::addr=h;auth_timeout_ms=0;", &["`auth_timeout_ms`"]),
    ("ws::addr=h;auth_timeout_ms=-5;", &["`auth_timeout_ms`"]),
    ("ws::addr=h;connect_timeout=0;", &["`connect_timeout`"]),
    ("ws::addr=h;request_timeout=0;", &["`request_timeout`"]),
    (
        "ws::addr=h;request_durable_ack=true;",
        &["`request_durable_ack`", "on, off"],
    ),
    (
        "ws::addr=h;durable_ack_keepalive_interval_millis=x;",
        &["`durable_ack_keepalive_interval_millis`"],
    ),
    (
        "ws::addr=h;initial_connect_retry=maybe;",
        &["`initial_connect_retry`", "async"],
    ),
    (
        "ws::addr=h;reconnect_initial_backoff_millis=0;",
        &["`reconnect_initial_backoff_millis`"],
    ),
    (
        "ws::addr=h;reconnect_max_backoff_millis=0;",
        &["`reconnect_max_backoff_millis`"],
    ),
    (
        "ws::addr=h;reconnect_max_duration_millis=-1;",
        &["`reconnect_max_duration_millis`"],
    ),
    (
        "ws::addr=h;close_flush_timeout_millis=soon;",
        &["`close_flush_timeout_millis`"],
    ),
    (
        "ws::addr=h;qwp_ws_progress=auto;",
        &["`qwp_ws_progress`", "background, manual"],
    ),
    (
        "ws::addr=h;qwp_ws_progress=manual;initial_connect_retry=async;",
        &["`qwp_ws_progress=manual`"],
    ),
    (
        "ws::addr=h;sf_durability=disk;",
        &["`sf_durability`", "memory, periodic"],
    ),
    ("ws::addr=h;sf_durability=flush;", &["not supported yet"]),
    (
        "ws::addr=h;sf_dir=d;sf_durability=append;",
        &["not supported yet"],
    ),
    ("ws::addr=h;sf_durability=periodic;", &["needs `sf_dir`"]),
    (
        "ws::addr=h;sf_dir=d;sf_sync_interval_millis=5;",
        &["needs `sf_durability=periodic`"],
    ),
    (
        "ws::addr=h;sf_dir=d;sf_durability=periodic;sf_sync_interval_millis=0;",
        &["`sf_sync_interval_millis`"],
    ),
    (
        "ws::addr=h;sf_max_segment_bytes=0;",
        &["`sf_max_segment_bytes`", "above 0"],
    ),
    (
        "ws::addr=h;sf_max_segment_bytes=4x;",
        &["`sf_max_segment_bytes`"],
    ),
    (
        "ws::addr=h;sf_max_segment_bytes=kb;",
        &["`sf_max_segment_bytes`"],
    ),
    (
        "ws::addr=h;sf_max_total_bytes=99999999t;",
        &["`sf_max_total_bytes`"],
    ),
    (
        "ws::addr=h;sf_append_deadline_millis=0;",
        &["`sf_append_deadline_millis`"],
    ),
    (
        "ws::addr=h;drain_orphans=yes;",
        &["`drain_orphans`", "on, off, true, false"],
    ),
    (
        "ws::addr=h;max_background_drainers=-1;",
        &["`max_background_drainers`"],
    ),
    (
        "ws::addr=h;error_inbox_capacity=15;",
        &["`error_inbox_capacity`", "16"],
    ),
    (
        "ws::addr=h;max_frame_rejections=0;",
        &["`max_frame_rejections`", "at least 1"],
    ),
    (
        "ws::addr=h;poison_min_escalation_window_millis=-1;",
        &["`poison_min_escalation_window_millis`"],
    ),
    (
        "ws::addr=h;on_server_error=halt;",
        &["`on_server_error`", "retriable_other"],
    ),
    ("ws::addr=h;on_write_error=;", &["`on_write_error`"]),
    ("ws::addr=h;transaction=on;", &["`transaction`"]),
];

/// As above, for the query side.
pub(super) const QUERIES: &[(&str, &[&str])] = &[
    ("ws::addr=h;foo=bar;", &["unknown key at position 11"]),
    ("ws::addr=h;path=read;", &["`path`", "`/`"]),
    ("ws::addr=h;max_version=2;", &["`max_version`"]),
    (
        "ws::addr=h;compression=lz4;",
        &["`compression`", "raw, zstd, auto"],
    ),
    (
        "ws::addr=h;compression_level=0;",
        &["`compression_level`", "1 to 22"],
    ),
    (
        "ws::addr=h;compression_level=23;",
        &["`compression_level`", "1 to 22"],
    ),
    (
        "ws::addr=h;max_batch_rows=1048577;",
        &["`max_batch_rows`", "1048576"],
    ),
    ("ws::addr=h;initial_credit=-1;", &["`initial_credit`"]),
    (
        "ws::addr=h;target=leader;",
        &["`target`", "any, primary, replica"],
    ),
    ("ws::addr=h;failover=maybe;", &["`failover`"]),
    (
        "ws::addr=h;failover_max_attempts=0;",
        &["`failover_max_attempts`", "1 to 1024"],
    ),
    (
        "ws::addr=h;failover_max_attempts=1025;",
        &["`failover_max_attempts`", "1 to 1024"],
    ),
    (
        "ws::addr=h;failover_max_duration_ms=-1;",
        &["`failover_max_duration_ms`"],
    ),
    (
        "ws::addr=h;failover_backoff_initial_ms=3600001;",
        &["`failover_backoff_initial_ms`"],
    ),
    (
        "ws::addr=h;failover_backoff_max_ms=3600001;",
        &["`failover_backoff_max_ms`", "3600000"],
    ),
    ("ws::addr=h;query_timeout_ms=x;", &["`query_timeout_ms`"]),
    ("ws::addr=h;auth=x;token=y;", &["`auth`"]),
    ("ws::addr=h;auth=x;username=u;password=p;", &["`auth`"]),
];
