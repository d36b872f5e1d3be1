//! No input makes a macro panic, and the user's block is always part of the output.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;

use crate::{Kind, entry, service};

/// The variable that replays one random input.
const SEED: &str = "GROUP_MACROS_SEED";

const RANDOM_INPUTS: u64 = 5_000;

fn block(route: &TokenStream) -> TokenStream {
    quote! {
        /// A block.
        #[cfg(unix)]
        impl<T: Fn(u8) -> u8, const N: usize> Morning<T, { N }> where T: Send {
            #![allow(dead_code)]
            const SIZE: usize = { 3 };
            type Item = [u8; { 1 }];
            helper!(3);
            helper! { 3 }
            #[must_use] pub(crate) async fn new(db: Arc<Database>) -> Result<Self, Error> { x }
            async fn start(&self, ready: Ready) -> ! { loop {} }
            default unsafe fn stop(&self) -> impl Future<Output = ()>;
            fn router(&self, routes: Router) -> Router { routes }
            #route #[cfg(unix)] async fn r#type<'a>(&'a self, Path(id): Path<u8>, body: String) {}
            fn on_start(self: Arc<Self>) where Self: Sized {}
        }
    }
}

fn service_args() -> TokenStream {
    quote! {
        name = "a", after(Map<A, B>, optional(fn() -> B), r#C), http = "localhost:0", role = "once",
        start_timeout = "3s", stop_timeout = "1m", register = false, crate = crate::group, "bare", nmae, ::,
    }
}

fn main() -> TokenStream {
    quote!(
        #[doc = "it"]
        #[tokio::main(flavor = "x")]
        pub(crate) async fn main(group: &mut Group) -> Result<(), E> {
            x;
        }
    )
}

fn main_args() -> TokenStream {
    quote!(
        services(A, B<C, D>),
        crates(a, r#b),
        flavor = "current_thread",
        worker_threads = 4,
        stop_timeout = "3s",
        crate = x
    )
}

/// The tokens with each one left out, doubled, wrapped as a `macro_rules!` fragment, and wrapped together with the
/// next one.
fn mutations(tokens: TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut all = Vec::new();
    for (at, tree) in trees.iter().enumerate() {
        let mut replace = |count: usize, by: Vec<TokenTree>| {
            let rest = trees.get(at + count..).unwrap_or_default();
            all.push(trees[..at].iter().chain(&by).chain(rest).cloned().collect());
        };
        replace(1, vec![]);
        replace(1, vec![tree.clone(), tree.clone()]);
        replace(1, vec![fragment(&trees[at..=at])]);
        replace(2, vec![fragment(&trees[at..trees.len().min(at + 2)])]);
        if let TokenTree::Group(group) = tree {
            for inner in mutations(group.stream()) {
                replace(1, vec![Group::new(group.delimiter(), inner).into()]);
            }
        }
    }
    all
}

fn fragment(trees: &[TokenTree]) -> TokenTree {
    Group::new(Delimiter::None, trees.iter().cloned().collect()).into()
}

#[test]
fn no_input_makes_the_macros_panic() {
    let block = block(&quote!(#[get("/users/{id}")]));
    for block in mutations(block.clone()) {
        service::expand(service_args(), &block);
        service::expand(quote!(http = "localhost:0"), &block);
    }
    for args in mutations(service_args()) {
        service::expand(args, &block);
    }
    for kind in [Kind::Main, Kind::Test] {
        for main in mutations(main()) {
            entry::expand(kind, main_args(), &main);
        }
        for args in mutations(main_args()) {
            entry::expand(kind, args, &main());
        }
    }
}

/// The tokens up to each place in them. Groups that are open there are closed.
fn truncations(tokens: TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut all = Vec::new();
    for (at, tree) in trees.iter().enumerate() {
        let up_to_here = |last: Option<TokenTree>| trees[..at].iter().cloned().chain(last).collect();
        all.push(up_to_here(None));
        if let TokenTree::Group(group) = tree {
            let inner = truncations(group.stream()).into_iter();
            all.extend(inner.map(|inner| up_to_here(Some(Group::new(group.delimiter(), inner).into()))));
        }
    }
    all
}

#[test]
fn half_typed_input_does_not_make_the_macros_panic() {
    for block in truncations(block(&quote!(#[get("/users/{id}")] #[layer(from_fn(log))]))) {
        service::expand(service_args(), &block);
    }
    for args in truncations(service_args()) {
        service::expand(args, &block(&quote!(#[any("/")])));
    }
    for kind in [Kind::Main, Kind::Test] {
        for main in truncations(main()) {
            entry::expand(kind, main_args(), &main);
        }
        for args in truncations(main_args()) {
            entry::expand(kind, args, &main());
        }
    }
}

/// Tokens that the macros know, and some that they do not.
fn vocabulary() -> Vec<TokenTree> {
    let more = quote! {
        #[get] #[layer] #[service] #[group::service] #[test] #[cfg_attr(unix, get("/"))] #[doc = 3] #[get = "/"]
        #[gett("/")] #[group::get] #[route(GET, "/")] #[evry("1s")] &'static &'a &str dyn Fn(&str) -> Pin<Future>
        struct enum union trait mod impl dyn for where mut ref self Self static unsafe extern "C" const async move
        'a '_ 'static -> => :: ; , . .. = == < > << >> & * ! ? @ $ # ~ | + - / % ^ _
        "" "/" "/{" "/a/{b}/{*c}" "/:id" "127.0.0.1:0" "[::1]:65536" "10s" "99999999999999999999y" "1s..2s" "2s..1s"
        b"bytes" c"text" '\'' 0 1 340282366920938463463374607431768211456 1.5e400 0xFF_u8 true false
        paused restart(never, max = 0) after() optional() after(optional()) services(A, A) r#type r#start strat
    };
    let all = [block(&more), service_args(), main(), main_args(), more];
    let mut words: Vec<TokenTree> = all.into_iter().flat_map(deep).collect();
    words.extend([Delimiter::Brace, Delimiter::None].map(|delimiter| Group::new(delimiter, TokenStream::new()).into()));
    words
}

/// Every token: groups, and the tokens inside them.
fn deep(tokens: TokenStream) -> Vec<TokenTree> {
    let with_inside = |token: TokenTree| {
        let inside = if let TokenTree::Group(group) = &token { deep(group.stream()) } else { Vec::new() };
        std::iter::once(token).chain(inside)
    };
    tokens.into_iter().flat_map(with_inside).collect()
}

/// A few words in any order, some of them in brackets.
fn nonsense(rng: &mut Rng, words: &[TokenTree], depth: usize) -> TokenStream {
    let count = rng.usize(..12);
    let word = |rng: &mut Rng| match rng.usize(..8) {
        0 if depth > 0 => {
            let delimiters = [Delimiter::Parenthesis, Delimiter::Brace, Delimiter::Bracket, Delimiter::None];
            Group::new(delimiters[rng.usize(..4)], nonsense(rng, words, depth - 1)).into()
        }
        _ => words[rng.usize(..words.len())].clone(),
    };
    (0..count).map(|_| word(rng)).collect()
}

/// The tokens with some of them left out, doubled, or with nonsense in their place.
fn mangled(rng: &mut Rng, words: &[TokenTree], tokens: TokenStream) -> TokenStream {
    let mut mangled = TokenStream::new();
    for token in tokens {
        match rng.usize(..40) {
            0 => {}
            1 => mangled.extend([token.clone(), token]),
            2 => mangled.extend(nonsense(rng, words, 1)),
            _ => match token {
                TokenTree::Group(group) => {
                    let inner = self::mangled(rng, words, group.stream());
                    mangled.extend([TokenTree::from(Group::new(group.delimiter(), inner))]);
                }
                token => mangled.extend([token]),
            },
        }
    }
    mangled
}

fn expand_at_random(seed: u64, words: &[TokenTree]) {
    let rng = &mut Rng::with_seed(seed);
    let block = block(&quote!(#[get("/users/{id}")]));
    let (block, main) = (mangled(rng, words, block), mangled(rng, words, main()));
    let (service_args, main_args) = (mangled(rng, words, service_args()), mangled(rng, words, main_args()));
    let (item, args) = (nonsense(rng, words, 3), nonsense(rng, words, 2));
    for item in [&block, &main, &item] {
        for args in [&service_args, &args] {
            service::expand(args.clone(), item);
        }
        for args in [&main_args, &args] {
            entry::expand(Kind::Main, args.clone(), item);
            entry::expand(Kind::Test, args.clone(), item);
        }
    }
}

#[test]
fn no_random_input_makes_the_macros_panic() {
    let words = vocabulary();
    let replayed = env::var(SEED).ok().map(|seed| seed.parse().expect("the seed is a number"));
    for seed in replayed.map_or(0..RANDOM_INPUTS, |seed| seed..seed + 1) {
        let result = catch_unwind(AssertUnwindSafe(|| expand_at_random(seed, &words)));
        assert!(result.is_ok(), "replay it with {SEED}={seed} cargo test -p group-macros");
    }
}

/// Words and punctuation, without the brackets.
fn flat(tokens: TokenStream) -> String {
    let text = |token| match token {
        TokenTree::Group(group) => flat(group.stream()),
        token => format!("{token} "),
    };
    tokens.into_iter().map(text).collect()
}

#[test]
fn the_block_comes_back() {
    for block in mutations(block(&TokenStream::new())) {
        let output = flat(service::expand(TokenStream::new(), &block));
        assert!(output.contains(&flat(block)), "{output}");
    }
}
