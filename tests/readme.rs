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
    let [program, by_hand, service, test] = blocks(&readme)[..] else { panic!("it has four blocks of Rust") };
    assert!(contains("examples/morning_evening.rs", program));
    assert!(by_hand.contains("axum::serve"));
    assert!(contains("examples/greeter.rs", service));
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
