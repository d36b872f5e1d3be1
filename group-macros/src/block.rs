//! The syntax of an `impl` block. Signatures are parsed, bodies are not: so rustc reports a body that does not
//! parse, and reports it once.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::buffer::Cursor;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, FnArg, Generics, Path, ReturnType, Signature, Token, Type, Visibility, WhereClause};

/// An `impl` block.
pub(crate) struct Block {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) impl_token: Token![impl],
    pub(crate) generics: Generics,
    /// The trait of `impl Trait for Type`.
    pub(crate) of_trait: Option<Path>,
    pub(crate) self_ty: Type,
    pub(crate) items: Vec<Item>,
    /// Everything between the attributes and the braces.
    head: TokenStream,
    braces: Group,
}

pub(crate) enum Item {
    Method(Box<Method>),
    /// A macro call, which may expand to any items.
    Macro(TokenStream),
    /// A constant or a type.
    Other(Vec<Attribute>, TokenStream),
    /// Tokens that do not parse. rustc reports them.
    Unknown(TokenStream),
}

/// A function in the block.
pub(crate) struct Method {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) sig: Signature,
    /// Everything but the attributes.
    tokens: TokenStream,
}

impl Method {
    pub(crate) fn is_async(&self) -> bool {
        self.sig.asyncness.is_some()
    }

    /// The parameters after the receiver.
    pub(crate) fn params(&self) -> impl Iterator<Item = &Type> {
        self.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(param) => Some(&*param.ty),
            FnArg::Receiver(_) => None,
        })
    }

    /// The type behind `->`.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }
}

impl Parse for Block {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let start = input.cursor();
        // rustc reports a visibility and `unsafe` as mistakes.
        input.parse::<Visibility>()?;
        input.parse::<Option<Token![unsafe]>>()?;
        let impl_token: Token![impl] = input.parse()?;
        let mut generics: Generics = input.parse()?;
        input.parse::<Option<Token![!]>>()?;
        let mut self_ty: Type = input.parse()?;
        let mut of_trait = None;
        if input.parse::<Option<Token![for]>>()?.is_some() {
            if let Type::Path(path) = &self_ty {
                of_trait = Some(path.path.clone());
            }
            self_ty = input.parse()?;
        }
        generics.where_clause = input.parse::<Option<WhereClause>>()?;
        let head = between(start, input.cursor());
        let TokenTree::Group(braces) = input.parse()? else {
            return Err(input.error("expected `{`"));
        };
        let items = parse_items.parse2(braces.stream())?;
        Ok(Self { attrs, impl_token, generics, of_trait, self_ty, items, head, braces })
    }
}

impl Block {
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.items.iter().filter_map(|item| match item {
            Item::Method(method) => Some(&**method),
            _ => None,
        })
    }

    /// The block as the user wrote it, without some of the attributes.
    pub(crate) fn without(&self, is_removed: impl Fn(&Attribute) -> bool) -> TokenStream {
        let mut body = TokenStream::new();
        for item in &self.items {
            match item {
                Item::Method(method) => {
                    body.append_all(method.attrs.iter().filter(|attr| !is_removed(attr)));
                    method.tokens.to_tokens(&mut body);
                }
                Item::Other(attrs, tokens) => {
                    body.append_all(attrs.iter().filter(|attr| !is_removed(attr)));
                    tokens.to_tokens(&mut body);
                }
                Item::Macro(tokens) | Item::Unknown(tokens) => tokens.to_tokens(&mut body),
            }
        }
        let mut braces = Group::new(Delimiter::Brace, body);
        braces.set_span(self.braces.span());
        let mut block = TokenStream::new();
        block.append_all(self.attrs.iter().filter(|attr| !is_removed(attr)));
        self.head.to_tokens(&mut block);
        block.append(braces);
        block
    }
}

fn parse_items(input: ParseStream) -> syn::Result<Vec<Item>> {
    let mut items = Vec::new();
    let ahead = input.fork();
    if let Ok(inner) = ahead.call(Attribute::parse_inner)
        && !inner.is_empty()
    {
        input.advance_to(&ahead);
        items.push(Item::Unknown(inner.iter().map(ToTokens::to_token_stream).collect()));
    }
    while !input.is_empty() {
        items.push(parse_item(input)?);
    }
    Ok(items)
}

fn parse_item(input: ParseStream) -> syn::Result<Item> {
    if let Ok(method) = parse_method(input) {
        return Ok(Item::Method(Box::new(method)));
    }
    let ahead = input.fork();
    let attrs = Attribute::parse_outer(&ahead);
    if let Ok(attrs) = attrs
        && is_constant_or_type(&ahead.fork())
    {
        input.advance_to(&ahead);
        return Ok(Item::Other(attrs, rest_of_item(input)?));
    }
    let is_macro = Path::parse_mod_style(&ahead).is_ok() && ahead.peek(Token![!]);
    let tokens = rest_of_item(input)?;
    Ok(if is_macro { Item::Macro(tokens) } else { Item::Unknown(tokens) })
}

fn is_constant_or_type(input: ParseStream) -> bool {
    let is_const = |input: ParseStream| input.peek(Token![const]) && !input.peek2(Token![fn]);
    input.parse::<Visibility>().is_ok() && (is_const(input) || input.peek(Token![type]))
}

/// Leaves the input where it is if there is no method.
fn parse_method(input: ParseStream) -> syn::Result<Method> {
    let ahead = input.fork();
    let attrs = ahead.call(Attribute::parse_outer)?;
    let start = ahead.cursor();
    ahead.parse::<Visibility>()?;
    if ahead.fork().call(Ident::parse_any).is_ok_and(|word| word == "default") {
        ahead.call(Ident::parse_any)?;
    }
    let sig: Signature = ahead.parse()?;
    // A body, or the semicolon of a method that is half written.
    if ahead.peek(syn::token::Brace) || ahead.peek(Token![;]) {
        ahead.parse::<TokenTree>()?;
    }
    let tokens = between(start, ahead.cursor());
    input.advance_to(&ahead);
    Ok(Method { attrs, sig, tokens })
}

fn between(mut from: Cursor<'_>, to: Cursor<'_>) -> TokenStream {
    let mut tokens = TokenStream::new();
    while from != to {
        let Some((token, next)) = from.token_tree() else { break };
        tokens.append(token);
        from = next;
    }
    tokens
}

/// The tokens up to the item's end: its braces, or its semicolon. The value of a constant may have braces too.
fn rest_of_item(input: ParseStream) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    let mut assigned = false;
    while !input.is_empty() {
        let token: TokenTree = input.parse()?;
        let ends = match &token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !assigned,
            TokenTree::Punct(punct) => {
                assigned |= punct.as_char() == '=';
                punct.as_char() == ';'
            }
            _ => false,
        };
        tokens.append(token);
        if ends {
            break;
        }
    }
    Ok(tokens)
}
