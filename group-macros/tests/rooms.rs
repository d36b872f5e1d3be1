//! Each file of this crate names only files that come before it in `ORDER`: so no two files need each other, and a
//! reader can start at the top.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item};

/// The modules from the ground up.
const ORDER: &[&str] = &[
    // Tools.
    "syntax",
    "errors",
    "code",
    // Syntax.
    "args",
    "block",
    // `#[service]`: attributes and signatures, the model, its checks, its code.
    "service::attrs",
    "service::signature",
    "service::path",
    "service::nearly",
    "service::borrow",
    "service::emit",
    "service::ticker",
    "service::model",
    "service::checks",
    "service::routes",
    "service::expand",
    "service",
    // `#[group::main]` and `#[group::test]`.
    "entry",
    "",
];

/// The modules that only tests have.
const TESTS: &[&str] = &["expansion_test", "fuzz_test"];

#[test]
fn no_file_names_a_later_one() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules: Vec<String> = files(&src).iter().map(|file| module(&src, file)).collect();
    modules.retain(|module| !TESTS.contains(&module.as_str()));
    let mut listed: Vec<&str> = ORDER.to_vec();
    listed.sort_unstable();
    modules.sort_unstable();
    assert_eq!(modules, listed, "every file has its place in `ORDER`");
    let wrong: Vec<String> = files(&src).iter().flat_map(|file| mistakes(&src, file)).collect();
    assert!(wrong.is_empty(), "arrows that go up:\n{}", wrong.join("\n"));
}

#[test]
fn an_arrow_that_goes_up_is_found() {
    for (module, text) in [
        ("service::attrs", "use super::model::Model;"),
        ("service::attrs", "use super::{emit, model::{self, Model}};"),
        ("service::model", "fn read() { super::checks::check() }"),
        ("service::model", "use super::misplaced;"),
        ("errors", "use crate::args;"),
        ("errors", "fn f() -> crate::service::model::Model {}"),
        ("block", "mod inner { use crate::entry::Kind; }"),
        ("entry", "use crate::Kind;"),
        ("service", "pub use crate::{args, entry};"),
    ] {
        assert!(!up(module, text).is_empty(), "{module}: {text}");
    }
    for (module, text) in [
        ("service::model", "use super::{attrs::cfgs, ticker}; use crate::{args::Arg, block};"),
        ("service::model", "//! See `super::checks`.\n#[cfg(test)] mod tests { use super::super::checks; }"),
        ("service", "use self::model::Model; fn f() { model::read() }"),
        ("", "use self::entry::Kind; use crate::service;"),
        ("syntax", "impl A { fn f(&self) { Self::g(self); std::mem::take(self) } }"),
    ] {
        assert!(up(module, text).is_empty(), "{module}: {text}");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

/// `service::model` for `src/service/model.rs`.
fn module(src: &Path, file: &Path) -> String {
    let path = file.strip_prefix(src).expect("a file of this crate").with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name != "mod" && name != "lib").collect::<Vec<_>>().join("::")
}

fn mistakes(src: &Path, file: &Path) -> Vec<String> {
    let module = module(src, file);
    if TESTS.contains(&module.as_str()) {
        return Vec::new();
    }
    let text = fs::read_to_string(file).expect("text");
    up(&module, &text).into_iter().map(|other| format!("{} names `{other}`", file.display())).collect()
}

/// The modules that the text of this one names although they do not come before it.
fn up(module: &str, text: &str) -> Vec<String> {
    let place = |module: &str| ORDER.iter().position(|&other| other == module).expect("a module");
    let mut named: Vec<String> = named(module, text).iter().map(|path| target(path)).collect();
    named.sort_unstable();
    named.dedup();
    named.retain(|other| other != module && place(other) > place(module));
    named
}

/// The module of an item.
fn target(path: &[String]) -> String {
    let starts = (0..=path.len()).rev().map(|length| path[..length].join("::"));
    starts.into_iter().find(|start| ORDER.contains(&start.as_str())).unwrap_or_default()
}

/// Every path that begins with `crate`, `super` or `self`, from the crate's root. Comments and tests do not count.
fn named(module: &str, text: &str) -> Vec<Vec<String>> {
    let mut file = syn::parse_file(text).expect("Rust");
    file.items.retain(|item| !is_test(item));
    let mut paths = Vec::new();
    let module: Vec<String> = module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    for item in file.items {
        find_paths(&module, item.to_token_stream(), &mut paths);
    }
    paths
}

fn is_test(item: &Item) -> bool {
    let is_test = |attr: &Attribute| attr.to_token_stream().to_string() == "# [cfg (test)]";
    match item {
        Item::Mod(item) => item.attrs.iter().any(is_test),
        Item::Fn(item) => item.attrs.iter().any(is_test),
        _ => false,
    }
}

fn find_paths(module: &[String], tokens: TokenStream, paths: &mut Vec<Vec<String>>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let follows_path = at > 0 && is_colon(&tokens[at - 1]);
        match &tokens[at] {
            TokenTree::Group(group) => find_paths(module, group.stream(), paths),
            TokenTree::Ident(word) if !follows_path && is_separator(&tokens, at + 1) => {
                let start = match word.to_string().as_str() {
                    "crate" => Some(Vec::new()),
                    "self" => Some(module.to_vec()),
                    "super" => Some(module[..module.len().saturating_sub(1)].to_vec()),
                    _ => None,
                };
                if let Some(start) = start {
                    at = follow(start, &tokens, at + 3, paths);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Follows a path from behind a `::`, and returns the place of the first token that is no part of it.
fn follow(mut path: Vec<String>, tokens: &[TokenTree], mut at: usize, paths: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => match word.to_string().as_str() {
                "self" => {}
                "super" => drop(path.pop()),
                name => path.push(name.to_owned()),
            },
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut inner = 0;
                while inner < tokens.len() {
                    inner = follow(path.clone(), &tokens, inner, paths) + 1;
                }
                return at + 1;
            }
            _ => {}
        }
        at += 1;
        if !is_separator(tokens, at) {
            break;
        }
        at += 2;
    }
    paths.push(path);
    // `Model as Other`, within braces: on to the comma.
    while matches!(tokens.get(at), Some(TokenTree::Ident(_))) {
        at += 1;
    }
    at
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    tokens.get(at).is_some_and(is_colon) && tokens.get(at + 1).is_some_and(is_colon)
}

fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':')
}
