use crate::error::ErrorCode;
use crate::ingress::{CertificateAuthority, Protocol, SenderBuilder};

use super::cases::{CASES, QUERIES};
use super::{query, refused, sender};

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
    let error = refused(sender(conf), conf, &["port", "service", "`;;`"]);
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

#[cfg(not(any(feature = "tls-webpki-certs", feature = "tls-native-certs")))]
#[test]
fn tls_without_any_roots_compiled_in_needs_a_file_of_them() {
    let conf = "https::addr=h;";
    refused(sender(conf), conf, &["`tls-webpki-certs`", "`tls_roots`"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(sender(&format!("{conf}tls_roots={};", file.path().display())).is_ok());
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
        (
            "`auto_flush_rows`",
            http().auto_flush_rows(1).and_then(|b| b.auto_flush_rows(2)),
        ),
        (
            "`auto_flush`",
            SenderBuilder::from_conf("http::addr=h;auto_flush=off;")
                .and_then(|b| b.auto_flush(true)),
        ),
    ];
    for (key, result) in cases {
        let error = result.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConfigError, "{key}");
        assert!(error.msg().contains(key), "{error}");
    }
    let error = http().ensure_tls_enabled("tls_ca").unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigError);
    let both = SenderBuilder::from_conf("http::addr=h;auto_flush=off;")
        .and_then(|b| b.auto_flush_bytes(9))
        .and_then(|b| b.settings())
        .unwrap_err();
    assert!(both.msg().contains("`auto_flush_bytes` switches"), "{both}");
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
                format!("h;{SECRET}"),
                format!("h;{SECRET}=x;{SECRET}=x"),
                format!("h;{SECRET}.x=1"),
                format!("h;{SECRET}=\u{1}"),
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

/// Keeps what is logged on this thread.
struct Log(std::sync::Mutex<String>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut write = |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            let line = format!("{}={value:?} ", field.name());
            self.0.lock().unwrap().push_str(&line);
        };
        event.record(&mut write);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn the_rest_of_a_password_with_a_single_semicolon_is_not_logged() {
    let log = std::sync::Arc::new(Log(std::sync::Mutex::default()));
    let dispatch = tracing::Dispatch::new(std::sync::Arc::clone(&log));
    tracing::dispatcher::with_default(&dispatch, || {
        sender("http::addr=h;username=u;password=abc;hunter2=x;").unwrap();
    });
    let said = log.0.lock().unwrap();
    assert!(
        said.contains("position=37") && !said.contains("hunter2"),
        "{said}"
    );
}

#[test]
fn a_string_of_many_keys_takes_memory_in_proportion() {
    use std::fmt::Write as _;
    let mut conf = String::from("http::addr=h;");
    for n in 0..100_000 {
        write!(conf, "k{n}=;").unwrap();
    }
    let parsed = super::super::grammar::parse(&conf).unwrap();
    let reserved: usize = parsed.params.iter().map(|p| p.value.capacity()).sum();
    assert!(reserved < conf.len(), "{reserved}");
}

proptest::proptest! {
    /// What is written back from the parts that were read is the string itself.
    #[test]
    fn any_text_is_read_or_refused_and_values_come_back_whole(
        text in "(http|ws|TCPS|\\PC{0,4})(::)?((addr|[a-z_]{0,5}|\\PC)=?([a-z0-9:,;\\[\\]é]|\\PC){0,8};){0,4}",
        value in "[^\\p{Cc}]{0,12}",
    ) {
        let _ = (sender(&text), query(&text));
        let conf = format!("http::addr=h;username=u;password={};", value.replace(';', ";;"));
        let auth = sender(&conf).unwrap().auth;
        let expected = crate::settings::Auth::Basic {
            user: "u".to_owned(),
            password: crate::settings::Secret::new(value),
        };
        proptest::prop_assert!(auth == expected);
    }
}
