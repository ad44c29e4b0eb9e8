//! A headless Chromium, driven by its DevTools protocol; for a page of our own only.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client::client_with_config};

/// What it is called on PATH.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];
/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Browser {
    child: Child,
    socket: WebSocket<TcpStream>,
    /// The page's, once it is there.
    session: Option<String>,
    next_id: u64,
    events: VecDeque<Value>,
    /// Removed when the browser has ended.
    _profile: TempDir,
}

/// The program that `CHROME_BIN` names, or one on PATH.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROME_BIN").filter(|name| !name.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let places = NAMES
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |dir| dir.join(name)));
    places.into_iter().find(|program| program.is_file())
}

impl Browser {
    pub(crate) fn start(program: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .args([
                "--headless=new",
                "--remote-debugging-port=0",
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                // Containers and root have none; the only page is ours.
                "--no-sandbox",
                "--window-size=1280,900",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{} does not start: {e}", program.display()));
        let log = child.stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        // Read to the end, so that the browser is never kept waiting.
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let url = loop {
            let line = lines
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|e| panic!("{} says no DevTools address: {e}", program.display()));
            if let Some(url) = line.strip_prefix("DevTools listening on ") {
                break url.trim().to_owned();
            }
        };
        let request = url.as_str().into_client_request().unwrap();
        let stream = TcpStream::connect(request.uri().authority().unwrap().as_str()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let config = WebSocketConfig::default().max_frame_size(None);
        let (socket, _) = client_with_config(request, stream, Some(config)).unwrap();
        let mut browser = Self {
            child,
            socket,
            session: None,
            next_id: 0,
            events: VecDeque::new(),
            _profile: profile,
        };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    fn next(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// One command and its result.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        let mut command = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.socket
            .send(Message::text(command.to_string()))
            .unwrap();
        loop {
            let mut message = self.next();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push_back(message);
        }
    }

    /// Goes to a page and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events.iter().any(loaded) {
            let event = self.next();
            self.events.push_back(event);
        }
        self.events.retain(|event| !loaded(event));
    }

    /// The value of an expression in the page; a promise is awaited.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let mut outcome = self.call("Runtime.evaluate", params);
        let thrown = &outcome["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        outcome["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&mut self, condition: &str) {
        let text = json!(condition);
        self.eval(&format!(
            "new Promise((done, fail) => {{
               const deadline = performance.now() + 30000;
               const look = () => {{
                 if ({condition}) done();
                 else if (performance.now() < deadline) setTimeout(look, 10);
                 else fail(new Error('never: ' + {text} + '; the page: ' + document.body.innerText));
               }};
               look();
             }})"
        ));
    }

    /// Presses and releases a key as a user does.
    pub(crate) fn key(&mut self, key: &str, modifiers: u8) {
        for kind in ["rawKeyDown", "keyUp"] {
            let code = if key == "Enter" { 13 } else { 0 };
            let params = json!({
                "type": kind, "key": key, "code": key, "modifiers": modifiers,
                "windowsVirtualKeyCode": code,
            });
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    /// Moves the pointer into the middle of an element.
    pub(crate) fn point_at(&mut self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{ const element = document.querySelector({});
               element.scrollIntoView();
               const box = element.getBoundingClientRect();
               return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        ));
        // A pointer that is there already makes no move.
        for (x, y) in [(&json!(1), &json!(1)), (&place[0], &place[1])] {
            let params = json!({"type": "mouseMoved", "x": x, "y": y});
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    /// Errors that the page caused so far: exceptions, and what the browser logged.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // An answer means that what came before it is here too.
        self.eval("1");
        let told = self.events.drain(..).filter_map(|event| {
            let params = &event["params"];
            match event["method"].as_str()? {
                "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
                "Log.entryAdded" => Some(params["entry"].to_string()),
                _ => None,
            }
        });
        told.collect()
    }

    /// Roles and names of what a screen reader finds.
    pub(crate) fn accessible(&mut self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().unwrap();
        let seen = nodes.iter().filter(|node| node["ignored"] == false);
        seen.map(|node| {
            let text = |key: &str| node[key]["value"].as_str().unwrap_or_default().to_owned();
            (text("role"), text("name"))
        })
        .collect()
    }

    /// Leaves a picture of the page among cargo's temporary files, for people to look at.
    pub(crate) fn picture(&mut self, name: &str) {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let png = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap())
            .unwrap();
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(place, png).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
