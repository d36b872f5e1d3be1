//! The macros of `service-group`. They are documented where they are re-exported: in the facade.
//!
//! Each goes the same way: `parse` the tokens, check them into a model while gathering every
//! mistake, `expand` the model. They emit calls into `group::__private`, and no logic.

use proc_macro::TokenStream;

use self::entry::Kind;

mod args;
mod block;
mod entry;
mod errors;
mod service;

/// Turns an `impl` block into a service. See `group::service`.
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(args.into(), &item.into()).into()
}

/// Turns `async fn main` into the program's entry point. See `group::main`.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(Kind::Main, args.into(), &item.into()).into()
}

/// Turns an `async fn` into a test with a group. See `group::test`.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(Kind::Test, args.into(), &item.into()).into()
}

/// Code for a duration.
fn duration(duration: std::time::Duration) -> proc_macro2::TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote::quote!(__g::Duration::new(#seconds, #nanos))
}

#[cfg(test)]
mod tests {
    use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
    use quote::quote;

    use crate::{Kind, entry, service};

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

    /// The tokens with each one left out, doubled, and as a `macro_rules!` fragment, together with
    /// the next one too.
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
}
