use crate::error::ErrorCode;
use crate::ingress::{CertificateAuthority, Protocol, SenderBuilder};

use super::{query, refused, sender};

/// Each string and what its error says. All of them are configuration errors.
const CASES: &[(&str, &[&str])] = &[
    // Grammar.
    ("", &["scheme", "its end"]),
    (";", &["scheme", "';'", "position 0"]),
    ("::addr=h", &["scheme", "position 0"]),
    ("http", &["addr"]),
    ("http::", &["addr"]),
    ("http:", &["separator", "position 4"]),
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
    ("http::addr=h;a.b=1", &["`a`", "position 14", "'.'"]),
    ("http::addr=h;clé=1", &["`cl`", "'é'", "position 15"]),
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
    ("ws::addr=h;foo=bar;", &["unknown key `foo`", "position 11"]),
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
const QUERIES: &[(&str, &[&str])] = &[
    ("ws::addr=h;foo=bar;", &["unknown key `foo`"]),
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

#[test]
fn every_wrong_string_is_a_configuration_error_that_names_what_is_wrong() {
    for (conf, fragments) in CASES {
        let error = refused(sender(conf), conf, fragments);
        assert_eq!(error.code(), ErrorCode::ConfigError, "{conf:?}");
    }
    for (conf, fragments) in QUERIES {
        let error = refused(query(conf), conf, fragments);
        assert_eq!(error.code(), ErrorCode::ConfigError, "{conf:?}");
    }
}

#[test]
fn more_than_1024_addresses_are_refused() {
    let list: Vec<String> = (0..1025).map(|i| format!("h{i}")).collect();
    let conf = format!("ws::addr={};", list.join(","));
    refused(sender(&conf), "1025 addresses", &["1024"]);
    let conf = format!("ws::addr={};", list[1..].join(","));
    assert_eq!(sender(&conf).unwrap().addresses.len(), 1024);
}

#[test]
fn a_port_that_is_no_service_cannot_be_resolved() {
    let conf = "http::addr=h:no-such-service-here;";
    let error = refused(sender(conf), conf, &["port", "service"]);
    assert_eq!(error.code(), ErrorCode::CouldNotResolveAddr);
    assert!(!error.msg().contains("no-such"), "{error}");
}

#[test]
fn what_is_compiled_out_is_refused_by_the_name_of_its_feature() {
    let cases = [
        (
            "tls_verify=unsafe_off",
            "insecure-skip-verify",
            cfg!(feature = "insecure-skip-verify"),
        ),
        (
            "tls_ca=webpki_roots",
            "tls-webpki-certs",
            cfg!(feature = "tls-webpki-certs"),
        ),
        (
            "tls_ca=os_roots",
            "tls-native-certs",
            cfg!(feature = "tls-native-certs"),
        ),
        (
            "tls_ca=webpki_and_os_roots",
            "certs",
            cfg!(all(
                feature = "tls-webpki-certs",
                feature = "tls-native-certs"
            )),
        ),
    ];
    for (setting, feature, compiled_in) in cases {
        let conf = format!("https::addr=h;{setting};");
        if compiled_in {
            assert!(sender(&conf).is_ok(), "{conf}");
        } else {
            refused(sender(&conf), &conf, &[setting, feature]);
        }
    }
}

#[test]
fn roots_from_a_file_and_from_elsewhere_exclude_each_other() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    if cfg!(feature = "tls-webpki-certs") {
        for conf in [
            format!("https::addr=h;tls_roots={path};tls_ca=webpki_roots;"),
            format!("https::addr=h;tls_ca=webpki_roots;tls_roots={path};"),
        ] {
            let error = refused(sender(&conf), &conf, &["`tls_roots`", "`tls_ca`"]);
            assert!(!error.msg().contains(&path.to_string()), "{error}");
        }
    }
    let builder = SenderBuilder::new(Protocol::Https, "h", 1)
        .tls_ca(CertificateAuthority::PemFile)
        .unwrap();
    assert!(
        builder
            .settings()
            .unwrap_err()
            .msg()
            .contains("`tls_roots`")
    );
    assert!(builder.tls_roots(file.path()).unwrap().settings().is_ok());
    if cfg!(feature = "insecure-skip-verify") {
        let conf = format!("wss::addr=h;tls_roots={path};tls_verify=unsafe_off;");
        refused(
            query(&conf),
            &conf,
            &["`tls_roots`", "`tls_verify=unsafe_off`"],
        );
        assert!(sender(&conf).is_ok());
    }
}

#[test]
fn a_setting_given_again_must_have_the_same_value() {
    use std::time::Duration;
    let builder = SenderBuilder::from_conf(
        "https::addr=h;retry_timeout=5;username=u;password=p;max_buf_size=2048;protocol_version=2;",
    )
    .unwrap();
    let same = builder
        .clone()
        .retry_timeout(Duration::from_millis(5))
        .and_then(|b| b.username("u"))
        .and_then(|b| b.password("p"))
        .and_then(|b| b.max_buf_size(2048))
        .and_then(|b| b.protocol_version(crate::ingress::ProtocolVersion::V2));
    assert!(same.is_ok());
    let cases = [
        (
            "`retry_timeout`",
            builder.clone().retry_timeout(Duration::from_millis(6)),
        ),
        ("`username`", builder.clone().username("v")),
        ("`password`", builder.clone().password("q")),
        ("`max_buf_size`", builder.clone().max_buf_size(4096)),
        (
            "`protocol_version`",
            builder
                .clone()
                .protocol_version(crate::ingress::ProtocolVersion::V1),
        ),
    ];
    for (key, result) in cases {
        let error = result.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConfigError);
        assert!(error.msg().contains(key), "{error}");
        assert!(error.msg().contains("already set"), "{error}");
    }
}

#[test]
fn the_builder_checks_as_the_string_does() {
    use std::time::Duration;
    let http = || SenderBuilder::new(Protocol::Http, "h", 9000);
    let tcp = || SenderBuilder::new(Protocol::Tcp, "h", 9009);
    let cases = [
        (
            "`retry_max_backoff_millis`",
            http().retry_max_backoff(Duration::from_millis(9)),
        ),
        ("`request_timeout`", http().request_timeout(Duration::ZERO)),
        ("`init_buf_size`", http().init_buf_size(1023)),
        ("`max_name_len`", http().max_name_len(15)),
        ("`bind_interface`", http().bind_interface("127.0.0.1")),
        ("`username`", http().username("a\nb")),
        ("`token`", http().token("a\nb")),
        ("`tls_ca`", http().tls_ca(CertificateAuthority::PemFile)),
        ("`tls_roots`", http().tls_roots("x")),
        ("`tls_verify`", http().tls_verify(true)),
        ("`user_agent`", http().user_agent("a\r\nb")),
        ("`retry_timeout`", tcp().retry_timeout(Duration::ZERO)),
        ("`request_min_throughput`", tcp().request_min_throughput(1)),
        (
            "`reconnect_max_duration_millis`",
            tcp().reconnect_max_duration(Duration::ZERO),
        ),
        (
            "`initial_connect_retry`",
            http().initial_connect_retry(true),
        ),
        ("`max_frame_rejections`", http().max_frame_rejections(3)),
        ("`auto_flush_rows`", http().auto_flush_rows(0)),
        ("`auto_flush_bytes`", http().auto_flush_bytes(0)),
        (
            "`auto_flush_interval`",
            http().auto_flush_interval(Duration::ZERO),
        ),
    ];
    for (key, result) in cases {
        let error = result.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConfigError, "{key}");
        assert!(error.msg().contains(key), "{error}");
    }
    let error = http().ensure_tls_enabled("tls_ca").unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigError);
    let twice = http().address("h", 9000).settings().unwrap_err();
    assert!(twice.msg().contains("twice"), "{twice}");
    let port = SenderBuilder::new(Protocol::Http, "h", "")
        .settings()
        .unwrap_err();
    assert_eq!(port.code(), ErrorCode::ConfigError);
}

#[test]
fn no_error_and_no_debug_output_holds_a_secret() {
    const SECRET: &str = "s3cr3t";
    let keys: Vec<&str> = super::super::keys::all().map(|key| key.name).collect();
    for scheme in ["http", "https", "tcp", "tcps", "ws", "wss", "xyz"] {
        for key in keys.iter().chain(&["addr", "unknown_key"]) {
            for value in [
                SECRET.to_owned(),
                format!("{SECRET};;\u{1}"),
                format!("h:{SECRET}"),
            ] {
                let conf = format!("{scheme}::{key}={value};addr=h;");
                for result in [sender(&conf), query(&conf)] {
                    match result {
                        Ok(settings) => {
                            let hidden = ["username", "password", "token", "auth"].contains(key);
                            let debug = format!("{settings:?}");
                            assert!(!hidden || !debug.contains(SECRET), "{conf}: {debug}");
                        }
                        Err(error) => {
                            let shown = format!("{error} {error:?}");
                            assert!(!shown.contains(SECRET), "{conf:?}: {shown}");
                        }
                    }
                }
                if let Ok(builder) = SenderBuilder::from_conf(&conf) {
                    assert!(!format!("{builder:?}").contains(SECRET), "{builder:?}");
                }
            }
        }
    }
}
