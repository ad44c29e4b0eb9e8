use super::*;
use crate::error::ErrorCode;
use crate::http::negotiate;
use crate::http::negotiate::Negotiated;
use crate::ingress::ProtocolVersion;

const SETTINGS: &str = r#"{"config":{"release.version":"9.3.4","line.proto.support.versions":[1,2,3],
    "cairo.max.file.name.length":255},"preferences.version":0,"preferences":{}}"#;

fn said(body: &str) -> Step {
    Step::Answer(response(200, "application/json", body))
}

#[tokio::test(start_paused = true)]
async fn the_server_says_its_version_and_the_length_of_names() {
    let script = Script::new([status(503), said(SETTINGS)]);
    let found = negotiate(&client(&script, &settings())).await.unwrap();
    let expected = Negotiated {
        version: ProtocolVersion::V3,
        max_name_len: Some(255),
    };
    assert_eq!(found, expected);
    assert_eq!(script.seen()[0].line, "GET /settings HTTP/1.1");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_settings_speaks_version_1() {
    let script = Script::new([status(404)]);
    let found = negotiate(&client(&script, &settings())).await.unwrap();
    assert_eq!(found.version, ProtocolVersion::V1);
    assert_eq!(found.max_name_len, None);
}

#[tokio::test(start_paused = true)]
async fn an_unusable_answer_is_an_error_with_url_and_status() {
    for (step, words) in [
        (status(401), "status 401"),
        (said("<html>"), "not JSON"),
        (
            said(r#"{"config":{"line.proto.support.versions":[9]}}"#),
            "no version",
        ),
    ] {
        let script = Script::new([step]);
        let error = negotiate(&client(&script, &settings())).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ProtocolVersionError);
        assert!(
            error.msg().contains("http://first:9000/settings"),
            "{error}"
        );
        assert!(error.msg().contains(words), "{error}");
        let helps = words != "no version";
        assert_eq!(
            error.msg().contains("set protocol_version"),
            helps,
            "{error}"
        );
        assert_eq!(script.seen().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_asked_for_a_second() {
    let script = Script::new((0..100).map(|_| refused()));
    let start = tokio::time::Instant::now();
    let error = negotiate(&client(&script, &settings())).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProtocolVersionError);
    let words = error.msg();
    assert!(words.contains("connection refused"), "{words}");
    assert!(!words.contains("set protocol_version"), "{words}");
    assert!(start.elapsed() <= Duration::from_millis(1010));
    assert!((6..=9).contains(&script.dials().len()));
}

#[tokio::test(start_paused = true)]
async fn a_shorter_retry_timeout_also_holds_for_the_question_for_the_version() {
    for (millis, most) in [(0, 1), (100, 5)] {
        let script = Script::new((0..100).map(|_| refused()));
        let mut settings = settings();
        settings.http.retry_timeout = Duration::from_millis(millis);
        let start = tokio::time::Instant::now();
        negotiate(&client(&script, &settings)).await.unwrap_err();
        assert!(start.elapsed() <= Duration::from_millis(millis + 10));
        assert!(script.dials().len() <= most, "{:?}", script.dials());
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_that_closes_instead_of_answering_is_asked_about() {
    for (port, asked) in [(9009, true), (9000, false)] {
        let script = Script::new((0..100).map(|_| Step::Close));
        let addresses = vec![Address::new("first", port)];
        let settings = Settings::new(Protocol::Http, addresses);
        let error = negotiate(&client(&script, &settings)).await.unwrap_err();
        assert_eq!(error.msg().contains("usually 9009"), asked, "{error}");
    }
}
