use super::*;
use crate::error::ErrorCode;
use crate::settings::{Auth, Secret};

/// Milliseconds at which attempts arrived.
fn times(script: &Script) -> Vec<i64> {
    let seen = script.seen();
    let times = seen.iter().map(|seen| seen.at.as_millis());
    times.map(|at| i64::try_from(at).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_request_has_exactly_the_headers_of_the_protocol() {
    let script = Script::new([]);
    let mut settings = settings();
    settings.http.user_agent = Some("product/rust/1".to_owned());
    write(&client(&script, &settings)).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen[0].line, "POST /write?precision=n HTTP/1.1");
    assert_eq!(seen[0].body, LINE);
    let mut headers = seen[0].headers.clone();
    headers.sort();
    let expected = [
        ("content-length", "31"),
        ("content-type", "text/plain; charset=utf-8"),
        ("host", "first:9000"),
        ("user-agent", "product/rust/1"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(headers, expected);
}

#[tokio::test(start_paused = true)]
async fn every_retriable_status_is_tried_again_within_the_budget_and_then_stored_once() {
    for code in [429, 500, 502, 503, 504, 507, 509, 523, 524, 529, 599] {
        let script = Script::new(statuses_of(3, code));
        write(&client(&script, &settings())).await.unwrap();
        assert_eq!(script.seen().len(), 4, "{code}");
        let times = times(&script);
        assert!((30..=90).contains(&times[3]), "{code}: {times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_will_not_pass_is_reported_at_once() {
    for code in [400, 401, 403, 404, 405, 413, 421, 501, 505] {
        let script = Script::new(statuses_of(2, code));
        let error = write(&client(&script, &settings())).await.unwrap_err();
        assert_eq!(script.seen().len(), 1, "{code}");
        let expected = match code {
            404 => ErrorCode::HttpNotSupported,
            401 | 403 => ErrorCode::AuthError,
            _ => ErrorCode::ServerFlushError,
        };
        assert_eq!(error.code(), expected, "{code}: {error}");
        assert_eq!(error.in_doubt(), code > 500, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_tells_whether_there_was_one() {
    let auth = |user: &str| Auth::Basic {
        user: user.to_owned(),
        password: Secret::new("quest"),
    };
    for (auth, words) in [
        (
            Auth::None,
            "no credentials were sent; the keys are `username`",
        ),
        (
            auth("admin"),
            "the credentials that were sent are not accepted",
        ),
    ] {
        let script = Script::new([status(401)]);
        let mut settings = settings();
        settings.auth = auth;
        let error = write(&client(&script, &settings)).await.unwrap_err();
        assert!(error.msg().contains(words), "{error}");
        assert!(
            error.msg().ends_with("words of the server [code: 401]"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_follow_the_schedule_until_the_budget_is_over() {
    let script = Script::new(statuses_of(100, 500));
    let mut settings = settings();
    settings.http.retry_timeout = Duration::from_secs(3);
    let error = write(&client(&script, &settings)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ServerFlushError);
    assert_eq!(
        error.msg(),
        "Could not flush buffer: words of the server; that was attempt 9, and `retry_timeout` (3000 ms) \
         is over"
    );
    assert!(error.in_doubt());
    let times = times(&script);
    let waits: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 8, "{times:?}");
    for (wait, nominal) in waits.iter().zip([10, 20, 40, 80, 160, 320, 640, 1000]) {
        // A paused clock goes on in whole milliseconds.
        assert!((-5..=6).contains(&(wait - nominal)), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_there_is_one_attempt() {
    let cases = [status(500), status(429), Step::Close, Step::Mute, refused()];
    for step in cases {
        let script = Script::new([step.clone()]);
        let mut settings = settings();
        settings.http.retry_timeout = Duration::ZERO;
        write(&client(&script, &settings)).await.unwrap_err();
        assert_eq!(script.dials().len(), 1, "{step:?}");
        assert!(script.seen().len() <= 1, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn refused_connections_and_failed_names_are_tried_again() {
    let unknown = || Step::Refuse(error!(CouldNotResolveAddr, "no such host"));
    let late = || Step::Refuse(error!(ConnectTimeout, "late"));
    let script = Script::new([refused(), unknown(), late()]);
    write(&client(&script, &settings())).await.unwrap();
    assert_eq!(script.dials().len(), 4);
    assert_eq!(script.seen().len(), 1);

    let script = Script::new((0..100).map(|_| refused()));
    let mut settings = settings();
    settings.http.retry_timeout = Duration::from_millis(300);
    let error = write(&client(&script, &settings)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::SocketError);
    assert!(!error.in_doubt(), "nothing was ever sent");
    let dials = script.dials();
    assert!((4..=7).contains(&dials.len()), "{dials:?}");
    assert!(dials.last().unwrap().0 <= Duration::from_millis(310));
}

#[tokio::test(start_paused = true)]
async fn a_refused_certificate_is_not_tried_again() {
    let script = Script::new([Step::Refuse(error!(TlsError, "unknown issuer"))]);
    let error = write(&client(&script, &settings())).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TlsError);
    assert_eq!(script.dials().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_cut_in_the_middle_is_tried_again() {
    let half = b"HTTP/1.1 204 No Con".to_vec();
    for step in [
        Step::Close,
        Step::CloseAfter(0),
        Step::CloseAfter(LINE.len() / 2),
        Step::AnswerAndClose(half),
    ] {
        let script = Script::new([step.clone()]);
        write(&client(&script, &settings())).await.unwrap();
        assert_eq!(script.seen().len(), 2, "{step:?}");
        assert_eq!(script.dials().len(), 2, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_for_good_leaves_a_doubt() {
    for step in [Step::Close, Step::Mute] {
        let script = Script::new([step]);
        let mut settings = settings();
        settings.http.retry_timeout = Duration::ZERO;
        let error = write(&client(&script, &settings)).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::SocketError);
        assert!(error.in_doubt());
        assert!(error.msg().contains("http://first:9000/write"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubt_stays_when_a_later_attempt_is_refused_for_sure() {
    let script = Script::new([Step::Close, status(400)]);
    let error = write(&client(&script, &settings())).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ServerFlushError);
    assert!(error.in_doubt());
}

#[tokio::test(start_paused = true)]
async fn garbage_in_place_of_an_answer_is_reported_at_once() {
    let script = Script::new([Step::Answer(b"what is this\r\n\r\n".to_vec())]);
    let error = write(&client(&script, &settings())).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::SocketError);
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_mute_server_is_given_up_after_the_limit_that_grows_with_the_body() {
    let script = Script::new([Step::Mute]);
    let mut settings = settings();
    settings.http.retry_timeout = Duration::ZERO;
    settings.http.request_timeout = Duration::from_millis(300);
    settings.http.request_min_throughput = 50;
    let client = client(&script, &settings);
    let start = tokio::time::Instant::now();
    let lines = Bytes::from(vec![b'\n'; 54]);
    let error = write_lines(&client, lines).await.unwrap_err();
    let took = start.elapsed().as_millis();
    assert!((1380..=1385).contains(&took), "{took} ms");
    assert!(error.msg().contains("1.38s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_within_the_limit_is_waited_for() {
    let ok = response(204, "text/plain", "");
    let script = Script::new([Step::Late(Duration::from_secs(9), ok)]);
    write(&client(&script, &settings())).await.unwrap();
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn json_errors_are_read_whatever_parameters_the_media_type_has() {
    let body = r#"{"code":"invalid","message":"failed to parse line:\nno","line":2,"errorId":"ce0f8de91d6f-1"}"#;
    for media in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
    ] {
        let script = Script::new([Step::Answer(response(400, media, body))]);
        let error = write(&client(&script, &settings())).await.unwrap_err();
        assert_eq!(
            error.msg(),
            "Could not flush buffer: failed to parse line:\nno \
             [id: ce0f8de91d6f-1, code: invalid, line: 2]"
        );
    }
    let script = Script::new([Step::Answer(response(400, "text/html", body))]);
    let error = write(&client(&script, &settings())).await.unwrap_err();
    assert_eq!(error.msg(), format!("Could not flush buffer: {body}"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_shows_the_words_and_the_status() {
    for (code, body, said) in [
        (401, "Unauthorized\r\n", ": Unauthorized [code: 401]"),
        (403, "", " [code: 403]"),
    ] {
        let script = Script::new([Step::Answer(response(code, "text/plain", body))]);
        let error = write(&client(&script, &settings())).await.unwrap_err();
        assert!(error.msg().ends_with(said), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_refusal_of_a_long_body_is_the_refusal_and_not_a_broken_connection() {
    let script = Script::new([Step::AnswerEarly(response(413, "text/plain", "too large"))]);
    let client = client(&script, &settings());
    let lines = Bytes::from(vec![b'\n'; 1_000_000]);
    let error = write_lines(&client, lines).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ServerFlushError, "{error}");
    assert!(error.msg().contains("too large"), "{error}");
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_words_are_cut_or_endless_is_not_tried_again() {
    let cut = b"HTTP/1.1 400 Bad\r\nContent-Length: 50\r\n\r\nhalf".to_vec();
    let long = "x".repeat(1024 * 1024 + 1);
    for step in [
        Step::AnswerAndClose(cut),
        Step::Answer(response(400, "text/plain", &long)),
    ] {
        let script = Script::new([step]);
        let error = write(&client(&script, &settings())).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::SocketError);
        assert!(!error.in_doubt());
        assert_eq!(script.seen().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_stored_nothing_and_is_an_error() {
    let moved =
        b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere/write\r\nContent-Length: 0\r\n\r\n";
    let script = Script::new([Step::Answer(moved.to_vec())]);
    let error = write(&client(&script, &settings())).await.unwrap_err();
    assert!(error.msg().contains("https://elsewhere/write"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_second_server_takes_over_and_keeps_the_work() {
    for first in [refused(), status(421), status(503), Step::Close] {
        let script = Script::new([first.clone()]);
        let client = client(&script, &two_servers());
        write(&client).await.unwrap();
        write(&client).await.unwrap();
        let hosts: Vec<String> = script
            .dials()
            .iter()
            .map(|dial| dial.1.host.clone())
            .collect();
        assert_eq!(hosts, ["first", "second"], "{first:?}");
        let seen = script.seen();
        assert_eq!(seen.last().unwrap().header("host"), Some("second:9000"));
    }
}

#[tokio::test(start_paused = true)]
async fn servers_take_turns_until_the_budget_is_over() {
    let script = Script::new((0..100).map(|_| refused()));
    let mut settings = two_servers();
    settings.http.retry_timeout = Duration::from_millis(200);
    write(&client(&script, &settings)).await.unwrap_err();
    let dials = script.dials();
    assert!(dials.len() >= 4, "{dials:?}");
    for pair in dials.windows(2) {
        assert_ne!(pair[0].1.host, pair[1].1.host);
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_are_sent_and_never_shown() {
    use crate::settings::{Auth, Secret};
    let basic = Auth::Basic {
        user: "a".to_owned(),
        password: Secret::new("b:c"),
    };
    for (auth, header) in [
        (basic, "Basic YTpiOmM="),
        (Auth::Token(Secret::new("tok.en")), "Bearer tok.en"),
    ] {
        let script = Script::new([status(401), Step::Close]);
        let mut settings = settings();
        settings.auth = auth;
        settings.http.retry_timeout = Duration::ZERO;
        let client = client(&script, &settings);
        for _ in 0..2 {
            let error = write(&client).await.unwrap_err();
            let shown = format!("{error} {error:?} {settings:?}");
            for secret in ["b:c", "tok.en", "YTpiOmM"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        assert_eq!(script.seen()[0].header("authorization"), Some(header));
    }
    let mut settings = settings();
    settings.auth = Auth::Token(Secret::new("sec\nret"));
    let error = Client::new(&settings).err().unwrap();
    assert_eq!(error.code(), ErrorCode::ConfigError);
    assert!(!error.msg().contains("ret"), "{error}");
}
