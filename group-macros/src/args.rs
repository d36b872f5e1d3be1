//! The arguments of an attribute: `key`, `key = value` and `key(list)`.

use std::time::Duration;

use proc_macro2::{Delimiter, Ident, Punct, Spacing, TokenStream, TokenTree};
use quote::{TokenStreamExt, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Lit, LitBool, LitInt, LitStr, Path, Type};

use crate::cpus::cpus;
use crate::errors::{Errors, suggestion};
use crate::syntax::{self, Address, NoAddress, nearest};

/// The places where connections are served.
pub(crate) const SERVE: &[&str] = &["shared", "per-core"];

/// The runtimes that a service can run on.
pub(crate) const RUNTIMES: &[&str] = &["own", "shared"];

/// One argument.
pub(crate) struct Arg {
    pub(crate) key: Ident,
    value: Value,
}

enum Value {
    None,
    Assigned(TokenStream),
    List(TokenStream),
}

/// Reads the arguments, and reports those that cannot be read, are unknown or repeat a key.
pub(crate) fn parse(tokens: TokenStream, known: &[&str], errors: &mut Errors) -> Vec<Arg> {
    let mut args: Vec<Arg> = Vec::new();
    for piece in split_at_commas(semicolons_as_commas(tokens, errors)) {
        let parse = |input: ParseStream| Arg::parse(input, known);
        let Some(arg) = errors.keep(parse.parse2(piece)) else { continue };
        let key = arg.key.to_string();
        if !known.contains(&key.as_str()) {
            errors.at(&arg.key, format!("unknown argument `{key}`{}", suggestion(&key, known)));
        } else if args.iter().any(|other| other.key == arg.key) {
            errors.at(&arg.key, format!("`{key}` is given twice"));
        } else {
            args.push(arg);
        }
    }
    args
}

/// Replaces semicolons with commas, and reports them.
fn semicolons_as_commas(tokens: TokenStream, errors: &mut Errors) -> TokenStream {
    let comma = |token: TokenTree| match token {
        TokenTree::Punct(punct) if punct.as_char() == ';' => {
            errors.at(&punct, "write `,` between arguments");
            Punct::new(',', Spacing::Alone).into()
        }
        token => token,
    };
    tokens.into_iter().map(comma).collect()
}

/// Splits at the commas that are not between angle brackets.
fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut pieces = vec![TokenStream::new()];
    let mut angles = 0_usize;
    let mut arrow = false;
    for token in tokens {
        let mark = if let TokenTree::Punct(punct) = &token { punct.as_char() } else { ' ' };
        match mark {
            ',' if angles == 0 => {
                pieces.push(TokenStream::new());
                continue;
            }
            '<' => angles += 1,
            '>' if !arrow => angles = angles.saturating_sub(1),
            _ => {}
        }
        arrow = mark == '-';
        if let Some(piece) = pieces.last_mut() {
            piece.append(token);
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

impl Arg {
    fn parse(input: ParseStream, known: &[&str]) -> syn::Result<Self> {
        if let Ok(text) = input.fork().parse::<LitStr>() {
            let word = text.value().replace('-', "_");
            let hint = if known.contains(&word.as_str()) {
                format!(": write `{word}`")
            } else {
                let meant = known.iter().find(|&&key| key == "name" || key == "tz" || known.len() == 1);
                meant.map_or_else(String::new, |key| format!(": write `{key} = {}`", text.token()))
            };
            let message = format!("unexpected string{hint}");
            return Err(syn::Error::new(text.span(), message));
        }
        let key = Ident::parse_any(input)
            .map_err(|error| syn::Error::new(error.span(), "expected an argument, as in `name = \"morning\"`"))?;
        let value = if input.peek(syn::Token![=]) {
            input.parse::<syn::Token![=]>()?;
            check_comma(input)?;
            Value::Assigned(input.parse()?)
        } else if input.peek(syn::Token![-]) && input.peek2(Ident::peek_any) {
            return Err(with_underscores(&key, input, known));
        } else if input.is_empty() {
            Value::None
        } else {
            match input.parse()? {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis && input.is_empty() => {
                    Value::List(group.stream())
                }
                token => return Err(syn::Error::new(token.span(), format!("expected `{key} = …` or `{key}(…)`"))),
            }
        };
        Ok(Self { key, value })
    }

    /// The value as a `T`. The error says what was expected: at the value, or at the key if there is no value.
    fn value<T: syn::parse::Parse>(&self, expected: &str) -> syn::Result<T> {
        match &self.value {
            Value::Assigned(tokens) if !tokens.is_empty() => {
                syn::parse2(tokens.clone()).map_err(|_| syn::Error::new_spanned(tokens, expected))
            }
            _ => Err(syn::Error::new_spanned(&self.key, expected)),
        }
    }

    /// `key = "text"`.
    pub(crate) fn string(&self, example: &str) -> syn::Result<LitStr> {
        // The key is underlined, not the value: the mistake is in the argument as a whole.
        self.value(&format!("expected a string, as in `{} = \"{example}\"`", self.key))
            .map_err(|error| syn::Error::new(self.key.span(), error))
    }

    /// `key = Type`; `None` if the value is no type.
    pub(crate) fn ty(&self) -> Option<Type> {
        let Value::Assigned(tokens) = &self.value else { return None };
        syn::parse2(tokens.clone()).ok().filter(|ty| matches!(ty, Type::Path(_) | Type::Macro(_)))
    }

    /// `key = "text"`; `None` for `key` alone.
    pub(crate) fn string_or_alone(&self, example: &str) -> syn::Result<Option<LitStr>> {
        match self.value {
            Value::None => Ok(None),
            _ => self.string(example).map(Some),
        }
    }

    /// `key = "10s"`.
    pub(crate) fn duration(&self) -> syn::Result<Duration> {
        let expected = "expected a duration, as in `\"10s\"` or `\"1m 30s\"`";
        let text: LitStr = self.value(expected)?;
        syntax::duration(&text.value()).map_err(|wrong| syn::Error::new(text.span(), format!("{expected}; {wrong}")))
    }

    /// `key = "100ms..30s"`.
    pub(crate) fn duration_range(&self) -> syn::Result<(Duration, Duration)> {
        let expected = "expected the shortest and the longest wait, as in `\"100ms..30s\"`";
        let text: LitStr = self.value(expected)?;
        let value = text.value();
        let ends = value
            .split_once("..")
            .and_then(|(shortest, longest)| Some((syntax::duration(shortest).ok()?, syntax::duration(longest).ok()?)));
        ends.filter(|(shortest, longest)| shortest <= longest).ok_or_else(|| syn::Error::new(text.span(), expected))
    }

    /// `key` without a value.
    pub(crate) fn alone(&self) -> syn::Result<()> {
        match self.value {
            Value::None => Ok(()),
            _ => Err(syn::Error::new_spanned(&self.key, format!("`{}` takes no value", self.key))),
        }
    }

    /// `key(a, b = …)`; `None` if it is no list.
    pub(crate) fn list(&self, known: &[&str], errors: &mut Errors) -> Option<Vec<Self>> {
        match &self.value {
            Value::List(tokens) => Some(parse(tokens.clone(), known, errors)),
            _ => None,
        }
    }

    /// `key = "one"`, one of the known words.
    pub(crate) fn word(&self, known: &[&str]) -> syn::Result<String> {
        let quoted: Vec<String> = known.iter().map(|word| format!("`\"{word}\"`")).collect();
        let expected = match quoted.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("expected {} or {last}", rest.join(", ")),
            _ => format!("expected {}", quoted.join("")),
        };
        let text: LitStr = self.value(&expected)?;
        let word = text.value();
        if known.contains(&word.as_str()) { Ok(word) } else { Err(syn::Error::new(text.span(), expected)) }
    }

    /// `key = true`.
    pub(crate) fn bool(&self) -> syn::Result<bool> {
        self.value(&format!("expected `{key} = true` or `{key} = false`", key = self.key))
            .map(|bool: LitBool| bool.value)
    }

    /// `key = "0-3,8"`.
    pub(crate) fn cpus(&self) -> syn::Result<Vec<usize>> {
        let expected = format!("expected processors, as in `{} = \"0-3,8\"`", self.key);
        let text: LitStr = self.value(&expected)?;
        cpus(&text.value()).ok_or_else(|| syn::Error::new(text.span(), expected))
    }

    /// `key = 4`.
    pub(crate) fn count(&self) -> syn::Result<usize> {
        let expected = format!("expected a number of at least 1, as in `{} = 4`", self.key);
        let number: LitInt = self.value(&expected)?;
        match number.base10_parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(syn::Error::new(number.span(), expected)),
        }
    }

    /// `key = a::path`.
    pub(crate) fn path(&self, example: &str) -> syn::Result<Path> {
        let expected = format!("expected a path, as in `{} = {example}`", self.key);
        let Value::Assigned(tokens) = &self.value else { return Err(syn::Error::new_spanned(&self.key, expected)) };
        Path::parse_mod_style.parse2(tokens.clone()).map_err(|_| syn::Error::new_spanned(&self.key, expected))
    }

    /// `key(A, mark(B), C)`: types, each with a flag: is it marked?
    pub(crate) fn types(&self, example: &str, mark: Option<&str>, errors: &mut Errors) -> Vec<(Type, bool)> {
        let Value::List(tokens) = &self.value else {
            errors.at(&self.key, format!("expected a list of services, as in `{example}`"));
            return Vec::new();
        };
        let expected = format!("expected the type of a service, as in `{example}`");
        let mut types = Vec::new();
        for piece in split_at_commas(tokens.clone()) {
            let inner = mark.and_then(|mark| without_mark(&piece, mark));
            let ty = match &inner {
                Some(inner) if inner.is_empty() => Err(syn::Error::new_spanned(&piece, &expected)),
                _ => {
                    let ty = inner.as_ref().unwrap_or(&piece);
                    syn::parse2(ty.clone()).map_err(|_| syn::Error::new_spanned(ty, &expected))
                }
            };
            types.extend(errors.keep(ty).map(|ty| (ty, inner.is_some())));
        }
        types
    }

    /// `key(a, b)`, at least one.
    pub(crate) fn some<T: syn::parse::Parse>(&self, expected: &str, errors: &mut Errors) -> Vec<T> {
        let Value::List(tokens) = &self.value else {
            errors.at(&self.key, expected);
            return Vec::new();
        };
        let parse = Punctuated::<T, syn::Token![,]>::parse_terminated;
        let read = parse.parse2(tokens.clone()).map_err(|_| syn::Error::new_spanned(&self.key, expected));
        let values: Vec<T> = errors.keep(read).into_iter().flatten().collect();
        if self.lists_nothing() {
            errors.at(&self.key, expected);
        }
        values
    }

    /// `key(a, b)`, names of crates.
    pub(crate) fn crates(&self, example: &str, errors: &mut Errors) -> Vec<Ident> {
        let Value::List(tokens) = &self.value else {
            errors.at(&self.key, format!("expected a list of crates, as in `{example}`"));
            return Vec::new();
        };
        let expected = format!("expected the name of a crate, as in `{example}`");
        let pieces = split_at_commas(tokens.clone()).into_iter();
        let read =
            |piece: TokenStream| syn::parse2(piece.clone()).map_err(|_| syn::Error::new_spanned(piece, &expected));
        pieces.filter_map(|piece| errors.keep(read(piece))).collect()
    }

    /// Returns true for `key()`.
    pub(crate) fn lists_nothing(&self) -> bool {
        matches!(&self.value, Value::List(tokens) if split_at_commas(tokens.clone()).is_empty())
    }
}

/// Reports a literal that is followed by a word: there is a comma missing.
fn check_comma(input: ParseStream) -> syn::Result<()> {
    let ahead = input.fork();
    if ahead.parse::<Lit>().is_ok() && ahead.peek(Ident::peek_any) {
        return Err(ahead.error("expected `,` before the next argument"));
    }
    Ok(())
}

/// Reports `start-timeout`.
fn with_underscores(key: &Ident, input: ParseStream, known: &[&str]) -> syn::Error {
    let mut words = key.to_string();
    let mut tokens = quote!(#key);
    while let (Ok(minus), Ok(word)) = (input.parse::<syn::Token![-]>(), input.call(Ident::parse_any)) {
        words = format!("{words}_{word}");
        tokens.extend(quote!(#minus #word));
    }
    let meant = nearest(&words, known.iter().copied()).map_or(words.clone(), str::to_owned);
    syn::Error::new_spanned(tokens, format!("write `{meant}`: an argument's words are joined by `_`"))
}

/// The tokens between the parentheses of `mark(…)`.
fn without_mark(tokens: &TokenStream, mark: &str) -> Option<TokenStream> {
    let mut tokens = tokens.clone().into_iter();
    match (tokens.next(), tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(word)), Some(TokenTree::Group(group)), None)
            if word == mark && group.delimiter() == Delimiter::Parenthesis =>
        {
            Some(group.stream())
        }
        _ => None,
    }
}

/// Checks the form of an address of a server.
pub(crate) fn check_address(address: &LitStr) -> syn::Result<()> {
    let text = address.value();
    let message = match syntax::address(&text) {
        // A macro does not know the features: without `listenfd`, the group refuses `fd:name` when it starts.
        Ok(Address::HostPort | Address::Unix | Address::HandedOver) => return Ok(()),
        Err(NoAddress::PortTooLarge) => "a port is a number up to 65535".to_owned(),
        Err(NoAddress::Unknown) => {
            let scheme = text.split_once("://").map(|(scheme, _)| format!(", without `{scheme}://`"));
            format!("expected `host:port`, as in `\"127.0.0.1:8080\"`{}", scheme.unwrap_or_default())
        }
    };
    Err(syn::Error::new(address.span(), message))
}
