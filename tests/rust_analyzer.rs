//! What an editor makes of a service: definition, rename and completion, asked of a real
//! rust-analyzer. Where there is none, this is skipped aloud.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// `/*1*/` and so on stand before the places that are asked about.
const PROGRAM: &str = r#"
use group::service;

#[derive(Default)]
struct Database;

#[service]
impl Database {
    async fn start(&self) {}
}

#[derive(Default)]
struct Mailer {
    queue: u8,
}

#[service(after(/*1*/Database))]
impl Mailer {
    async fn /*2*/start(&self) {
        self.deliver();
    }

    fn deliver(&self) {}
}

async fn by_hand(mailer: Mailer) {
    mailer./*3*/start().await;
}

#[derive(Default)]
struct HalfTyped {
    attempts: u8,
}

#[service(nam)]
impl HalfTyped {
    async fn start(&self) {
        self./*4*/
    }

    fn deliver(&self) {}
}

#[derive(Default)]
struct StartsNot {
    attempts: u8,
}

#[service]
impl StartsNot {
    fn deliver(&self) {
        self./*5*/
    }
}

#[derive(Default)]
struct BadRoute {
    attempts: u8,
}

#[service(http = "127.0.0.1:0")]
impl BadRoute {
    #[get("/{id")]
    async fn index(&self) {
        self./*6*/
    }

    fn deliver(&self) {}
}
"#;

#[test]
fn an_editor_finds_its_way_in_a_service() {
    if !Command::new("rust-analyzer").arg("--version").output().is_ok_and(|output| output.status.success()) {
        // Past the harness, which would keep it to itself.
        let skipped =
            "tests/rust_analyzer.rs is SKIPPED: there is no rust-analyzer (rustup component add rust-analyzer)";
        return writeln!(io::stderr(), "{skipped}").expect("stderr is open");
    }
    let mut editor = Editor::open(PROGRAM);

    let definitions = editor.ask("textDocument/definition", 1, json!({}));
    assert_eq!(lines(&definitions), ["struct Database;"], "{definitions}");

    let rename = editor.ask("textDocument/rename", 2, json!({ "newName": "launch" }));
    assert_eq!(editor.edited(&rename), ["async fn /*2*/start(&self) {", "mailer./*3*/start().await;"], "{rename}");
    let called = editor.ask("textDocument/definition", 3, json!({}));
    assert_eq!(lines(&called), ["async fn /*2*/start(&self) {"], "{called}");

    for place in [4, 5, 6] {
        let completion = editor.ask("textDocument/completion", place, json!({}));
        let items = completion["items"].as_array().expect("a list");
        let labels: Vec<&str> = items.iter().filter_map(|item| item["label"].as_str()).collect();
        for name in ["attempts", "deliver"] {
            assert!(labels.iter().any(|label| label.starts_with(name)), "no {name} at {place}: {labels:?}");
        }
    }
}

/// The lines of the program where these places are.
fn lines(places: &Value) -> Vec<&'static str> {
    let all = places.as_array().expect("places");
    all.iter().map(|place| line(&place["targetSelectionRange"])).collect()
}

fn line(range: &Value) -> &'static str {
    let line = range["start"]["line"].as_u64().and_then(|line| usize::try_from(line).ok());
    PROGRAM.lines().nth(line.expect("a line")).expect("a line of the program").trim()
}

/// An editor that has one file open.
struct Editor {
    server: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    uri: String,
    requests: u64,
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Editor {
    /// Opens the program, in a project whose only other crates are ours: what those need is nothing
    /// that is asked about.
    fn open(program: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("editor");
        fs::create_dir_all(&directory).expect("a directory");
        let file = directory.join("main.rs");
        fs::write(&file, program).expect("it can be written");
        let mut server = Command::new("rust-analyzer");
        server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = server.spawn().expect("rust-analyzer starts");
        let (input, output) = (server.stdin.take().expect("a pipe"), server.stdout.take().expect("a pipe"));
        let uri = format!("file://{}", file.display());
        let mut editor = Self { server, input, output: BufReader::new(output), uri, requests: 0 };
        editor.request(
            "initialize",
            &json!({
                "processId": null,
                "rootUri": format!("file://{}", directory.display()),
                "capabilities": {
                    "experimental": { "serverStatusNotification": true },
                    "textDocument": { "definition": { "linkSupport": true } },
                },
                "initializationOptions": {
                    "linkedProjects": [project(&file)],
                    "checkOnSave": false,
                    "cachePriming": { "enable": false },
                },
            }),
        );
        editor.notify("initialized", &json!({}));
        let document = json!({ "uri": editor.uri, "languageId": "rust", "version": 1, "text": program });
        editor.notify("textDocument/didOpen", &json!({ "textDocument": document }));
        editor.until(|message| {
            let status = &message["params"];
            (message["method"] == "experimental/serverStatus" && status["quiescent"] == true).then(|| {
                assert_eq!(status["health"], "ok", "{status}");
            })
        });
        editor
    }

    /// Asks about the place with this number.
    fn ask(&mut self, method: &str, place: usize, more: Value) -> Value {
        let (before, _) = PROGRAM.split_once(&format!("/*{place}*/")).expect("the place is in the program");
        let line = before.matches('\n').count();
        let character = before.rsplit('\n').next().unwrap_or_default().len() + "/*1*/".len();
        let mut params = more;
        params["textDocument"] = json!({ "uri": self.uri });
        params["position"] = json!({ "line": line, "character": character });
        self.request(method, &params)
    }

    /// The lines that a change touches. It must touch nothing but the program.
    fn edited(&self, change: &Value) -> Vec<&'static str> {
        let mut ranges = BTreeMap::new();
        let mut edit = |uri: &Value, edits: &Value| {
            assert_eq!(*uri, self.uri);
            for edit in edits.as_array().expect("edits") {
                ranges.insert(edit["range"]["start"]["line"].as_u64(), line(&edit["range"]));
            }
        };
        for (uri, edits) in change["changes"].as_object().into_iter().flatten() {
            edit(&json!(uri), edits);
        }
        for document in change["documentChanges"].as_array().into_iter().flatten() {
            edit(&document["textDocument"]["uri"], &document["edits"]);
        }
        ranges.into_values().collect()
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.until(|message| {
            (message["id"] == id && message["method"].is_null()).then(|| {
                assert!(message["error"].is_null(), "{method}: {message}");
                message["result"].clone()
            })
        })
    }

    fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("it reads");
        self.input.flush().expect("it reads");
    }

    /// Reads messages until one is wanted. What the server asks meanwhile has no answer here.
    fn until<T>(&mut self, wanted: impl Fn(&Value) -> Option<T>) -> T {
        loop {
            let message = self.receive();
            if let Some(found) = wanted(&message) {
                return found;
            }
            if !message["method"].is_null() && !message["id"].is_null() {
                self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }));
            }
        }
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut header = String::new();
            let read = self.output.read_line(&mut header).expect("it writes");
            assert!(read > 0, "rust-analyzer ended");
            match header.trim().split_once(": ") {
                Some(("Content-Length", bytes)) => length = bytes.parse().expect("a number"),
                Some(_) => {}
                None => break,
            }
        }
        let mut text = vec![0; length];
        self.output.read_exact(&mut text).expect("it writes");
        serde_json::from_slice(&text).expect("JSON")
    }
}

/// The crates of the program, as rust-analyzer takes them.
fn project(file: &Path) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let krate = |name: &str, file: PathBuf, deps: &[(usize, &str)]| {
        let deps: Vec<Value> = deps.iter().map(|(krate, name)| json!({ "crate": krate, "name": name })).collect();
        let cfg = ["feature=\"http\""];
        json!({ "display_name": name, "root_module": file, "edition": "2024", "deps": deps, "cfg": cfg })
    };
    let mut macros = krate("group_macros", root.join("group-macros/src/lib.rs"), &[]);
    macros["is_proc_macro"] = json!(true);
    macros["proc_macro_dylib_path"] = json!(built_macros());
    json!({
        "sysroot": sysroot(),
        "crates": [
            macros,
            krate("group_core", root.join("group-core/src/lib.rs"), &[]),
            krate("group", root.join("src/lib.rs"), &[(0, "group_macros"), (1, "group_core")]),
            krate("main", file.to_owned(), &[(2, "group")]),
        ],
    })
}

/// The library that has the macros.
fn built_macros() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--quiet", "--package", "group-macros", "--message-format=json"];
    let output = Command::new(cargo).args(build).output().expect("cargo can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let file = |message: Value| {
        let is_it = message["reason"] == "compiler-artifact" && message["target"]["name"] == "group_macros";
        is_it.then(|| message["filenames"][0].as_str().map(PathBuf::from)).flatten()
    };
    messages.filter_map(file).next_back().expect("cargo says where it is")
}

fn sysroot() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().expect("rustc can be run");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
