//! `docs/macros.md` shows what the macros emit.

use proc_macro2::{TokenStream, TokenTree};

use crate::{Kind, entry, service};

/// The code blocks of the page: by turns what a user writes, and the expansion of that.
fn blocks(page: &str) -> Vec<TokenStream> {
    let fenced = page.split("```rust,ignore\n").skip(1);
    fenced.map(|rest| rest.split("```").next().unwrap_or(rest).parse().expect("Rust")).collect()
}

/// Expands `#[service(…)] impl …` or `#[group::main(…)] async fn …`.
fn expanded(written: TokenStream) -> TokenStream {
    let mut tokens = written.into_iter().skip(1);
    let Some(TokenTree::Group(attribute)) = tokens.next() else { panic!("no attribute") };
    let item: TokenStream = tokens.collect();
    let is_main = attribute.stream().into_iter().any(|token| token.to_string() == "main");
    let args = match attribute.stream().into_iter().last() {
        Some(TokenTree::Group(args)) => args.stream(),
        _ => TokenStream::new(),
    };
    if is_main { entry::expand(Kind::Main, args, &item) } else { service::expand(args, &item) }
}

/// The tokens, without their spacing and without the commas that only a formatter adds.
fn words(tokens: TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = (format!("{:?}(", group.delimiter()), ")".to_owned());
                words.push(open);
                words.extend(self::words(group.stream()));
                words.pop_if(|last| last == ",");
                words.push(close);
            }
            token => words.push(token.to_string()),
        }
    }
    words
}

#[test]
fn the_page_shows_what_the_macros_emit() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/macros.md")).expect("a page");
    let blocks = blocks(&page);
    assert!(blocks.len() >= 6 && blocks.len().is_multiple_of(2), "by turns what is written, and its expansion");
    for pair in blocks.chunks_exact(2) {
        let emitted = expanded(pair[0].clone());
        assert_eq!(words(pair[1].clone()), words(emitted.clone()), "it emits\n{emitted}");
    }
}
