use std::path::Path;
use std::time::Duration;

use super::{query, sender};
use crate::ingress::{Protocol, ProtocolVersion, SenderBuilder};
use crate::settings::{
    Address, Auth, AutoFlush, Durability, InitialConnect, Policy, Role, Roots, Secret, Settings,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_string_with_an_address_alone_means_the_documented_defaults() {
    let http = sender("http::addr=h").unwrap();
    assert_eq!(
        http,
        Settings::new(Protocol::Http, vec![Address::new("h", 9000)])
    );
    assert_eq!(http.init_buf_size, 65536);
    assert_eq!(http.max_buf_size, 104_857_600);
    assert_eq!(http.max_name_len, 127);
    assert_eq!(http.auth_timeout, ms(15000));
    assert_eq!(http.http.request_timeout, ms(10000));
    assert_eq!(http.http.request_min_throughput, 102_400);
    assert_eq!(http.http.retry_timeout, ms(10000));
    assert_eq!(http.http.retry_max_backoff, ms(1000));
    assert_eq!(http.protocol_version, None);
    assert_eq!(http.auto_flush, AutoFlush::default());
    let ws = sender("ws::addr=h").unwrap().ingest;
    assert_eq!(ws.request_timeout, ms(30000));
    assert_eq!(ws.connect_timeout, None);
    assert_eq!(ws.durable_ack_keepalive, Some(ms(200)));
    assert_eq!(ws.initial_connect, InitialConnect::Once);
    assert_eq!(ws.reconnect_initial_backoff, ms(100));
    assert_eq!(ws.reconnect_max_backoff, ms(5000));
    assert_eq!(ws.reconnect_max_duration, ms(300_000));
    assert_eq!(ws.close_flush_timeout, Some(ms(5000)));
    assert_eq!(ws.sender_id, "default");
    assert_eq!(ws.max_segment_bytes, 4 << 20);
    assert_eq!(ws.max_total_bytes, 128 << 20);
    assert_eq!(ws.append_deadline, ms(30000));
    assert_eq!(ws.error_inbox_capacity, 256);
    assert_eq!(ws.max_frame_rejections, 4);
    assert_eq!(ws.poison_min_escalation_window, ms(5000));
    assert_eq!(ws.max_background_drainers, 4);
    let query = query("ws::addr=h").unwrap().query;
    assert_eq!(query.path, "/read/v1");
    assert_eq!(query.zstd, None);
    assert_eq!((query.failover, query.failover_max_attempts), (true, 8));
    assert_eq!(query.failover_max_duration, ms(30000));
    assert_eq!(query.failover_backoff_initial, ms(50));
    assert_eq!(query.failover_backoff_max, ms(1000));
}

#[cfg(any(feature = "tls-webpki-certs", feature = "tls-native-certs"))]
#[test]
fn each_service_has_its_port_and_is_written_in_any_case() {
    let cases = [
        ("http", Protocol::Http, 9000, false),
        ("HTTP", Protocol::Http, 9000, false),
        ("https", Protocol::Https, 9000, true),
        ("tcp", Protocol::Tcp, 9009, false),
        ("Tcps", Protocol::Tcps, 9009, true),
        ("ws", Protocol::Ws, 9000, false),
        ("wsS", Protocol::Wss, 9000, true),
    ];
    for (service, protocol, port, tls) in cases {
        let settings = sender(&format!("{service}::addr=h;")).unwrap();
        assert_eq!(settings.protocol, protocol);
        assert_eq!(settings.addresses, [Address::new("h", port)]);
        assert_eq!(settings.tls.is_some(), tls);
    }
}

#[test]
fn addresses_may_be_ipv6_several_and_have_named_ports() {
    let cases: &[(&str, &[(&str, u16)])] = &[
        ("http::addr=[::1]:9001", &[("::1", 9001)]),
        ("tcp::addr=[fe80::1%eth0]", &[("fe80::1%eth0", 9009)]),
        ("http::addr=h:https", &[("h", 443)]),
        ("http::addr=a:1,b:2,c", &[("a", 1), ("b", 2), ("c", 9000)]),
        ("ws::addr= a:1 , [::1] ", &[("a", 1), ("::1", 9000)]),
        (
            "ws::addr=a;addr=b:2,c;",
            &[("a", 9000), ("b", 2), ("c", 9000)],
        ),
    ];
    for (conf, expected) in cases {
        let expected: Vec<Address> = expected
            .iter()
            .map(|(host, port)| Address::new(*host, *port))
            .collect();
        assert_eq!(sender(conf).unwrap().addresses, expected, "{conf}");
    }
    let built = SenderBuilder::new(Protocol::Http, "::1", "9000")
        .address("[::2]", 9001)
        .settings()
        .unwrap();
    assert_eq!(
        built.addresses,
        [Address::new("::1", 9000), Address::new("::2", 9001)]
    );
    assert_eq!(built.addresses[0].to_string(), "[::1]:9000");
}

#[cfg(any(feature = "tls-webpki-certs", feature = "tls-native-certs"))]
#[test]
fn a_doubled_semicolon_is_one_and_the_last_may_be_missing() {
    let basic = |user: &str, password: &str| Auth::Basic {
        user: user.to_owned(),
        password: Secret::new(password),
    };
    for (conf, auth) in [
        ("http::addr=h;username=u;password=a;;b;", basic("u", "a;b")),
        ("http::addr=h;password=;;;;;username=u", basic("u", ";;")),
        (
            "http::addr=h;username=u;password=a=b:c",
            basic("u", "a=b:c"),
        ),
        ("http::addr=h;username=ü;password=", basic("ü", "")),
        ("http::addr=h;token=t;;", Auth::Token(Secret::new("t;"))),
        ("wss::addr=h;token=t", Auth::Token(Secret::new("t"))),
        ("ws::addr=h;username=u;password=p", basic("u", "p")),
        (
            "tcp::addr=h;username=k;token=d;token_x=x;token_y=y;",
            Auth::Ecdsa {
                key_id: "k".to_owned(),
                private: Secret::new("d"),
                x: "x".to_owned(),
                y: "y".to_owned(),
            },
        ),
        ("tcps::addr=h", Auth::None),
    ] {
        assert_eq!(sender(conf).unwrap().auth, auth, "{conf}");
    }
}

#[cfg(any(feature = "tls-webpki-certs", feature = "tls-native-certs"))]
#[test]
fn unknown_keys_are_passed_over_where_other_clients_may_know_them() {
    for conf in [
        "http::addr=h;foo=bar;",
        "tcps::addr=h;foo=bar;",
        "http::addr=h;auto_flush=off;",
        "ws::addr=h;auto_flush=off;",
        "http::addr=h;compression=whatever;",
        "ws::addr=h;compression=whatever;failover=?;query_pool_max=x;",
        "ws::addr=h;protocol_version=auto;",
        "http::addr=h;on_server_error=x;",
    ] {
        assert!(sender(conf).is_ok(), "{conf}");
    }
    for conf in [
        "ws::addr=h;sf_dir=;sender_id=a.b;auto_flush_rows=7;",
        "ws::addr=h;sender_pool_min=x",
    ] {
        assert!(query(conf).is_ok(), "{conf}");
    }
}

#[test]
fn the_keys_of_line_senders_reach_the_settings() {
    let settings = sender(
        "http::addr=h;protocol_version=3;init_buf_size=1024;max_buf_size=4096;max_name_len=16;\
         request_timeout=1;request_min_throughput=0;retry_timeout=0;retry_max_backoff_millis=10;",
    )
    .unwrap();
    assert_eq!(settings.protocol_version, Some(ProtocolVersion::V3));
    assert_eq!(
        (settings.init_buf_size, settings.max_buf_size),
        (1024, 4096)
    );
    assert_eq!(settings.max_name_len, 16);
    assert_eq!(settings.http.request_timeout, ms(1));
    assert_eq!(settings.http.request_min_throughput, 0);
    assert_eq!(settings.http.retry_timeout, Duration::ZERO);
    assert_eq!(settings.http.retry_max_backoff, ms(10));
    let clamped = sender("http::addr=h;max_buf_size=2048").unwrap();
    assert_eq!(clamped.init_buf_size, 2048);
    let tcp = sender("tcp::addr=h;bind_interface=127.0.0.1;auth_timeout=7;").unwrap();
    assert_eq!(tcp.bind_interface.as_deref(), Some("127.0.0.1"));
    assert_eq!(tcp.auth_timeout, ms(7));
    let endless = sender("http::addr=h;retry_timeout=18446744073709551615;").unwrap();
    assert!(
        std::time::Instant::now()
            .checked_add(endless.http.retry_timeout)
            .is_some()
    );
}

#[test]
fn the_keys_of_qwp_senders_reach_the_settings() {
    let settings = sender(
        "ws::addr=h;auth_timeout_ms=1;connect_timeout=2;request_timeout=3;request_durable_ack=ON;\
         durable_ack_keepalive_interval_millis=-1;close_flush_timeout_millis=0;qwp_ws_progress=manual;\
         sf_dir=d;sender_id=a-B_9;sf_durability=periodic;sf_sync_interval_millis=4;\
         sf_max_segment_bytes=8MB;sf_append_deadline_millis=5;drain_orphans=true;\
         max_background_drainers=0;error_inbox_capacity=16;max_frame_rejections=1;\
         poison_min_escalation_window_millis=0;on_server_error=terminal;on_write_error=Retriable_Other;",
    )
    .unwrap();
    assert_eq!(settings.auth_timeout, ms(1));
    let ingest = settings.ingest;
    assert_eq!(ingest.connect_timeout, Some(ms(2)));
    assert_eq!(ingest.request_timeout, ms(3));
    assert!(ingest.durable_ack && ingest.manual_progress && ingest.drain_orphans);
    assert_eq!(ingest.durable_ack_keepalive, None);
    assert_eq!(ingest.close_flush_timeout, None);
    assert_eq!(ingest.sf_dir.as_deref(), Some(Path::new("d")));
    assert_eq!(ingest.sender_id, "a-B_9");
    assert_eq!(ingest.durability, Durability::Periodic(ms(4)));
    assert_eq!(ingest.max_segment_bytes, 8 << 20);
    assert_eq!(ingest.max_total_bytes, 10 << 30);
    assert_eq!(ingest.append_deadline, ms(5));
    assert_eq!(ingest.max_background_drainers, 0);
    assert_eq!(ingest.error_inbox_capacity, 16);
    assert_eq!(ingest.max_frame_rejections, 1);
    assert_eq!(ingest.poison_min_escalation_window, Duration::ZERO);
    assert_eq!(ingest.policies.server, Policy::Terminal);
    assert_eq!(ingest.policies.write, Policy::RetriableOther);
    let sizes = [
        ("1", 1),
        ("2b", 2),
        ("3K", 3 << 10),
        ("4gB", 4 << 30),
        ("1t", 1 << 40),
    ];
    for (text, bytes) in sizes {
        let settings = sender(&format!("ws::addr=h;sf_max_total_bytes={text}")).unwrap();
        assert_eq!(settings.ingest.max_total_bytes, bytes, "{text}");
    }
    let large = sender("ws::addr=h;sf_max_segment_bytes=64m").unwrap();
    assert_eq!(large.ingest.max_total_bytes, 320 << 20);
}

#[test]
fn a_reconnect_key_alone_makes_the_first_connection_persistent() {
    let cases = [
        ("", InitialConnect::Once),
        ("initial_connect_retry=off;", InitialConnect::Once),
        ("initial_connect_retry=True;", InitialConnect::Retry),
        ("initial_connect_retry=sync;", InitialConnect::Retry),
        ("initial_connect_retry=async;", InitialConnect::Background),
        ("reconnect_max_backoff_millis=9;", InitialConnect::Retry),
        ("reconnect_max_duration_millis=9;", InitialConnect::Retry),
        (
            "reconnect_initial_backoff_millis=9;initial_connect_retry=false;",
            InitialConnect::Once,
        ),
    ];
    for (keys, expected) in cases {
        let settings = sender(&format!("ws::addr=h;{keys}")).unwrap();
        assert_eq!(settings.ingest.initial_connect, expected, "{keys}");
    }
}

#[test]
fn the_keys_of_queries_reach_the_settings() {
    let query = query(
        "ws::addr=h;path=/read/v2;max_version=1;client_id=me;compression=Auto;compression_level=9;\
         max_batch_rows=1048576;initial_credit=65536;target=PRIMARY;zone=Eu-1;failover=off;\
         failover_max_attempts=1;failover_max_duration_ms=0;failover_backoff_initial_ms=0;\
         failover_backoff_max_ms=3600000;query_timeout_ms=8;auth=Negotiate x;",
    )
    .unwrap();
    assert_eq!(query.auth, Auth::Verbatim(Secret::new("Negotiate x")));
    let query = query.query;
    assert_eq!(query.path, "/read/v2");
    assert_eq!(query.client_id.as_deref(), Some("me"));
    assert_eq!((query.zstd, query.zstd_or_raw), (Some(9), true));
    assert_eq!(query.max_batch_rows, 1_048_576);
    assert_eq!(query.initial_credit, 65536);
    assert_eq!(query.target, Role::Primary);
    assert_eq!(query.zone.as_deref(), Some("eu-1"));
    assert!(!query.failover);
    assert_eq!(query.failover_max_attempts, 1);
    assert_eq!(query.failover_max_duration, Duration::ZERO);
    assert_eq!(query.failover_backoff_max, ms(3_600_000));
    assert_eq!(query.query_timeout, ms(8));
}

#[test]
fn a_file_of_roots_becomes_the_only_source() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let conf = format!("https::addr=h;tls_roots={};", file.path().display());
    let tls = sender(&conf).unwrap().tls.unwrap();
    assert!(tls.verify);
    assert_eq!(tls.roots, Roots::File(file.path().to_owned()));
    let conf = format!(
        "wss::addr=h;tls_roots={};tls_roots_password=pw;",
        file.path().display()
    );
    super::refused(sender(&conf), &conf, &["keystores", "PEM", "`tls_roots`"]);
}

#[test]
fn the_builder_opts_in_to_automatic_flushes() {
    let settings = SenderBuilder::from_conf("http::addr=h;")
        .and_then(|b| b.auto_flush_rows(100))
        .and_then(|b| b.auto_flush_bytes(200))
        .and_then(|b| b.auto_flush_interval(ms(300)))
        .and_then(|b| b.user_agent("program/1"))
        .and_then(|b| b.settings())
        .unwrap();
    let expected = AutoFlush {
        rows: Some(100),
        bytes: Some(200),
        interval: Some(ms(300)),
    };
    assert_eq!(settings.auto_flush, expected);
    assert_eq!(settings.http.user_agent.as_deref(), Some("program/1"));
}

#[test]
fn one_trigger_brings_the_others_with_the_defaults_of_the_protocol() {
    use crate::error::Result;
    use crate::ingress::Protocol;
    type Set = fn(SenderBuilder) -> Result<SenderBuilder>;
    let triggers = |protocol, set: Set| {
        let builder = set(SenderBuilder::new(protocol, "h", 1)).unwrap();
        let flush = builder.settings().unwrap().auto_flush;
        (flush.rows, flush.bytes, flush.interval)
    };
    let on: Set = |b| b.auto_flush(true);
    let (second, tenth) = (Some(ms(1000)), Some(ms(100)));
    assert_eq!(triggers(Protocol::Http, on), (Some(75_000), None, second));
    assert_eq!(triggers(Protocol::Tcp, on), (Some(600), None, second));
    assert_eq!(triggers(Protocol::Ws, on), (Some(1000), None, tenth));
    let cases: [(Set, _); 6] = [
        (|b| b.auto_flush_rows(5), (Some(5), None, second)),
        (|b| b.auto_flush_bytes(5), (Some(75_000), Some(5), second)),
        (
            |b| b.auto_flush_interval(ms(5)),
            (Some(75_000), None, Some(ms(5))),
        ),
        (
            |b| b.auto_flush_rows(5)?.auto_flush_interval(ms(0)),
            (Some(5), None, None),
        ),
        (|b| b.auto_flush_rows(0), (None, None, None)),
        (|b| b.auto_flush(false), (None, None, None)),
    ];
    for (at, (set, expected)) in cases.into_iter().enumerate() {
        assert_eq!(triggers(Protocol::Https, set), expected, "case {at}");
    }
}
