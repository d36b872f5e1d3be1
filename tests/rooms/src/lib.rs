//! Which file of a crate names which: read from the tokens of its sources, so that comments do not count. Items under
//! `#[cfg(test)]` do not count either.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item};

/// The modules of a crate, one a file. Each has its path as its name, `service::model`; the name of the crate's root is
/// empty.
#[derive(Clone, Debug)]
pub struct Modules(Vec<(String, PathBuf)>);

/// One file names something that another one defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    /// The module of the file that names it.
    pub from: String,
    /// The module that it belongs to.
    pub to: String,
    /// The path as it is written, from the crate's root.
    pub path: String,
}

impl Modules {
    /// Every file below this folder, but those of which `is_test` is true. `names` are the folders whose modules are
    /// called otherwise, by `#[path]`.
    ///
    /// # Panics
    ///
    /// When the folder cannot be read.
    #[must_use]
    pub fn of(src: &Path, names: &[(&str, &str)], is_test: impl Fn(&str) -> bool) -> Self {
        let with_name = |file: PathBuf| (module(src, &file, names), file);
        Self(files(src).into_iter().map(with_name).filter(|(module, _)| !is_test(module)).collect())
    }

    /// The names of all modules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(module, _)| module.as_str())
    }

    /// Every arrow from one file to another.
    ///
    /// # Panics
    ///
    /// When a file cannot be read, or is no Rust.
    #[must_use]
    pub fn arrows(&self) -> Vec<Arrow> {
        let arrows = self.0.iter().flat_map(|(module, file)| {
            let text = fs::read_to_string(file).expect("text");
            self.arrows_of(module, &text)
        });
        arrows.collect()
    }

    /// The arrows of one module, if this were its text.
    ///
    /// # Panics
    ///
    /// When the text is no Rust.
    #[must_use]
    pub fn arrows_of(&self, module: &str, text: &str) -> Vec<Arrow> {
        let paths: BTreeSet<Vec<String>> = named(module, text).into_iter().collect();
        let arrow =
            |path: Vec<String>| Arrow { from: module.to_owned(), to: self.target(&path), path: path.join("::") };
        paths.into_iter().map(arrow).filter(|arrow| arrow.to != arrow.from).collect()
    }

    /// The module of an item: the longest part of its path that is one.
    fn target(&self, path: &[String]) -> String {
        let starts = (0..=path.len()).rev().map(|length| path[..length].join("::"));
        starts.into_iter().find(|start| self.names().any(|module| module == start)).unwrap_or_default()
    }
}

/// The groups of modules each of which leads to each other one of its group.
#[must_use]
pub fn circles(arrows: &[Arrow]) -> Vec<Vec<&str>> {
    let modules: BTreeSet<&str> = arrows.iter().flat_map(|arrow| [&*arrow.from, &*arrow.to]).collect();
    let mut circles: Vec<Vec<&str>> = Vec::new();
    for &module in &modules {
        if circles.iter().flatten().any(|&other| other == module) {
            continue;
        }
        let reached = reached(arrows, module);
        let circle: Vec<&str> =
            reached.iter().copied().filter(|&other| crate::reached(arrows, other).contains(module)).collect();
        if !circle.is_empty() {
            circles.push(circle);
        }
    }
    circles
}

/// All that a module leads to.
fn reached<'a>(arrows: &'a [Arrow], module: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = vec![module];
    while let Some(module) = next.pop() {
        for arrow in arrows.iter().filter(|arrow| arrow.from == module) {
            if reached.insert(&*arrow.to) {
                next.push(&arrow.to);
            }
        }
    }
    reached
}

/// The files in Rust.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// `service::model` for `src/service/model.rs`.
fn module(src: &Path, file: &Path, names: &[(&str, &str)]) -> String {
    let path = file.strip_prefix(src).expect("a file of this crate").with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    let renamed = |part: String| names.iter().find(|(from, _)| *from == part).map_or(part, |(_, to)| (*to).to_owned());
    parts.filter(|part| part != "mod" && part != "lib").map(renamed).collect::<Vec<_>>().join("::")
}

/// Every path that begins with `crate`, `super` or `self`, from the crate's root.
fn named(module: &str, text: &str) -> Vec<Vec<String>> {
    let mut file = syn::parse_file(text).unwrap_or_else(|error| panic!("{module}: {error}"));
    file.items.retain(|item| !is_test(item));
    let mut paths = Vec::new();
    let module: Vec<String> = module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    for item in file.items {
        // A module of its own has no tokens here but its name.
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
        // In a macro, `$crate` is where the macro is called.
        let follows_dollar = at > 0 && is_punct(&tokens[at - 1], '$');
        match &tokens[at] {
            TokenTree::Group(group) => find_paths(module, group.stream(), paths),
            TokenTree::Ident(word) if !follows_path && !follows_dollar && is_separator(&tokens, at + 1) => {
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
    is_punct(token, ':')
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}
