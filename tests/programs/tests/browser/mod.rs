//! A real Chromium, spoken to over a pipe in its `DevTools` protocol: commands and answers are JSON, each with a zero byte
//! behind it.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _, pipe};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt as _, FdMapping};
use serde_json::{Value, json};

/// Longer than a page takes on a busy machine, so that a test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(40);

/// A browser with one page.
#[derive(Debug)]
pub(crate) struct Browser {
    process: Child,
    to: PipeWriter,
    from: BufReader<PipeReader>,
    profile: PathBuf,
    session: Option<String>,
    calls: u64,
    /// What the page complains of: errors of its script, and what its policy forbids.
    complaints: Vec<String>,
    events: VecDeque<Value>,
}

impl Browser {
    /// Starts a browser. Chromium must be installed, as the gate sees to.
    pub(crate) fn start(name: &str) -> Self {
        let profile = std::env::temp_dir().join(format!("group-browser-{name}-{}", std::process::id()));
        let (commands, to) = pipe().expect("there are pipes");
        let (from, answers) = pipe().expect("there are pipes");
        let mut command = Command::new("chromium");
        command
            // It refuses its sandbox to root, and needs none for our own page.
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--remote-debugging-pipe", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .fd_mappings(vec![
                FdMapping { parent_fd: OwnedFd::from(commands), child_fd: 3 },
                FdMapping { parent_fd: OwnedFd::from(answers), child_fd: 4 },
            ])
            .expect("no number is given twice");
        let process = command.spawn().expect("Chromium is installed: see .ci/run");
        // The ends of the browser must be closed here.
        drop(command);
        let (from, events, complaints) = (BufReader::new(from), VecDeque::new(), Vec::new());
        let mut browser = Self { process, to, from, profile, session: None, calls: 0, complaints, events };
        let page = browser.call("Target.createTarget", &json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", &json!({"targetId": page, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let mut command = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser listens");
        loop {
            let told = self.read();
            if told["id"] == self.calls {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
            self.note(told);
        }
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        let read = self.from.read_until(0, &mut bytes).expect("the browser speaks");
        assert!(read > 0, "the browser is gone");
        bytes.pop();
        serde_json::from_slice(&bytes).expect("it speaks JSON")
    }

    fn note(&mut self, event: Value) {
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.complaints.push(event.to_string()),
            // A connection that ends is expected here.
            Some("Log.entryAdded") if event["params"]["entry"]["source"] != "network" => {
                self.complaints.push(event.to_string());
            }
            _ => self.events.push_back(event),
        }
    }

    /// Opens an address, and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        self.events.clear();
        self.call("Page.navigate", &json!({"url": url}));
        self.until("document.readyState != 'loading' && location.href != 'about:blank'");
    }

    /// The size of the window, as that of a phone for example.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// What the user prefers: `("prefers-color-scheme", "dark")`.
    pub(crate) fn prefer(&mut self, feature: &str, value: &str) {
        let features = json!({"features": [{"name": feature, "value": value}]});
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// Pages that are opened from now on run no scripts. The tests' own still do.
    pub(crate) fn without_scripts(&mut self) {
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let code = match key {
                "Tab" => 9,
                "Enter" => 13,
                other => panic!("{other} has no code here"),
            };
            let text = if key == "Enter" && kind == "rawKeyDown" { "\r" } else { "" };
            let kind = if text.is_empty() { kind } else { "keyDown" };
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// The value of a JavaScript expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The text of an element, as a person sees it.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.value(&format!("document.querySelector({selector:?})?.innerText ?? 'nothing'"));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.value(expression) != Value::Bool(true) {
            if begun.elapsed() > PATIENCE {
                let page = self.value("document.body?.innerText");
                panic!("{expression} is not so: {}\n{:?}", page.as_str().unwrap_or_default(), self.complaints);
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the text of an element contains this.
    #[track_caller]
    pub(crate) fn shows(&mut self, selector: &str, text: &str) {
        self.until(&format!("!!document.querySelector({selector:?})?.innerText.includes({text:?})"));
    }

    /// What the page has complained of so far.
    pub(crate) fn complaints(&mut self) -> &[String] {
        // An answer comes behind all that was said before.
        self.value("0");
        &self.complaints
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A test that failed must leave neither it nor its files behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}
