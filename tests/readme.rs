//! What the README shows is what the examples are, and so what the tests compile and run.

use std::fs;
use std::path::Path;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("it can be read")
}

/// The Rust code of a page, block by block.
fn blocks(page: &str) -> Vec<&str> {
    let fenced = page.split("```rust").skip(1);
    fenced.filter_map(|rest| rest.split_once('\n')?.1.split("```").next()).collect()
}

/// Without what a module puts before each line.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn contains(file: &str, block: &str) -> bool {
    let (file, block) = (read(file), lines(block));
    lines(&file).windows(block.len()).any(|lines| lines == block)
}

#[test]
fn the_readme_shows_the_examples() {
    let readme = read("README.md");
    let [program, by_hand, service, logs, test] = blocks(&readme)[..] else { panic!("it has five blocks of Rust") };
    assert!(contains("examples/morning_evening.rs", program));
    assert!(by_hand.contains("axum::serve"));
    assert!(contains("examples/greeter.rs", service));
    assert!(logs.contains("group.keep(guard)"));
    assert!(contains("examples/greeter.rs", test));
}

#[test]
fn no_page_has_lines_that_only_rustdoc_hides() {
    let pages = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).expect("there are pages");
    let pages = pages.map(|page| page.expect("a page").path()).map(|page| fs::read_to_string(page).expect("a text"));
    for page in pages.chain([read("README.md")]) {
        for line in blocks(&page).iter().flat_map(|block| block.lines()) {
            assert!(!line.starts_with("# ") && line != "#", "{line}");
        }
    }
}

/// On GitHub they lead to files, and in rustdoc to what `links.md` says instead.
#[test]
fn every_link_from_one_page_to_another_leads_somewhere_in_rustdoc_too() {
    let defined = |line: &str| {
        let (name, to) = line.strip_prefix('[')?.split_once(']')?;
        Some((name.to_owned(), to.strip_prefix(": ")?.to_owned()))
    };
    let links: Vec<String> = read("src/links.md").lines().filter_map(defined).map(|(name, _)| name).collect();
    for page in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).expect("there are pages") {
        let page = page.expect("a page").path();
        for (name, to) in fs::read_to_string(&page).expect("a text").lines().filter_map(defined) {
            let is_page = !to.starts_with("http") && !to.starts_with('#');
            assert!(!is_page || links.contains(&name), "{}: [{name}] is not in src/links.md", page.display());
        }
    }
}

/// `println!` panics when the terminal is gone, and a `stop` is when it is.
#[test]
fn no_stop_that_is_shown_can_panic_because_it_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["docs", "examples"].map(|folder| fs::read_dir(root.join(folder)).expect("there are files"));
    let files = files.into_iter().flatten().map(|file| file.expect("a file").path()).filter(|path| path.is_file());
    let mut shown = 0;
    for path in files.chain(["README.md", "src/lib.rs"].map(|file| root.join(file))) {
        let text = fs::read_to_string(&path).expect("a text");
        for stop in text.split("fn stop(").skip(1) {
            let body = stop.split("async fn ").next().unwrap_or_default();
            let body: Vec<&str> = body.lines().take(6).collect();
            assert!(!body.concat().contains("println!"), "{}: {body:#?}", path.display());
            shown += 1;
        }
    }
    assert!(shown > 5, "{shown}");
}
