//! Paths of routes, by the rules of axum's router, which panics at the start where this file reports a mistake.

use syn::LitStr;

/// axum's router panics at more parameters than this in one path.
const MOST_PARAMETERS: usize = 25;

/// A correct path.
pub(super) struct Path {
    pub(super) literal: LitStr,
    /// The path with a mark in place of each parameter. Paths of one shape match the same requests.
    shape: String,
    parameters: Vec<Parameter>,
}

struct Parameter {
    /// Its place in the shape.
    at: usize,
    takes_rest: bool,
}

/// A parameter in a shape. It is no brace of the path itself, because those are doubled.
const MARK: &str = "{}";

impl Path {
    pub(super) fn read(literal: LitStr) -> syn::Result<Self> {
        let text = literal.value();
        let read = check_syntax(&text).and_then(|()| parameters(&text));
        let (shape, parameters) = read.map_err(|message| syn::Error::new(literal.span(), message))?;
        Ok(Self { literal, shape, parameters })
    }

    pub(super) fn value(&self) -> String {
        self.literal.value()
    }

    /// Says why axum's router cannot hold both paths.
    pub(super) fn clash(&self, other: &Self) -> Option<&'static str> {
        if self.value() == other.value() {
            None
        } else if self.shape == other.shape {
            Some("they match the same requests, so name their parameters alike")
        } else if self.meets_a_rest(other) {
            Some("where one takes all the rest of a path, the other cannot have a parameter")
        } else {
            None
        }
    }

    /// Returns true if both have a parameter in one place, and one of the two takes all the rest.
    fn meets_a_rest(&self, other: &Self) -> bool {
        let meets =
            |a: &Parameter, b: &Parameter| (a.takes_rest || b.takes_rest) && self.shape[..a.at] == other.shape[..b.at];
        self.parameters.iter().any(|a| other.parameters.iter().any(|b| meets(a, b)))
    }
}

/// Reports syntax that is a mistake although axum's router may accept it.
fn check_syntax(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err("a path starts with `/`".into());
    }
    if text.contains('?') {
        return Err("a path has no query: take it as a parameter, `Query<…>`".into());
    }
    for segment in text.split('/') {
        let old = if let Some(name) = segment.strip_prefix(':') {
            Some(format!("{{{name}}}"))
        } else {
            segment.strip_prefix('*').map(|name| format!("{{*{name}}}"))
        };
        if let Some(new) = old {
            return Err(format!("write `{new}`: `{segment}` is the syntax of older axum versions"));
        }
        if let Some(name) = segment.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            return Err(format!("write `{{{name}}}`: axum takes `{segment}` literally"));
        }
    }
    Ok(())
}

/// The shape of a path, and its parameters.
fn parameters(text: &str) -> Result<(String, Vec<Parameter>), String> {
    let mut shape = String::new();
    let mut parameters = Vec::new();
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some(brace) = ["{{", "}}"].into_iter().find(|&brace| rest.starts_with(brace)) {
            shape.push_str(brace);
            rest = &rest[2..];
        } else if letter == '}' {
            return Err("this `}` closes nothing: write `{id}` for a parameter, `}}` for a brace".into());
        } else if letter == '{' {
            let name;
            (name, rest) = parameter(&rest[1..])?;
            let takes_rest = name.starts_with('*');
            if takes_rest && !rest.is_empty() {
                return Err(format!("`{{{name}}}` takes all the rest of a path, so nothing can follow it"));
            }
            let name = name.trim_start_matches('*');
            if names.contains(&name) {
                return Err(format!("two parameters of this path are called `{name}`"));
            }
            names.push(name);
            parameters.push(Parameter { at: shape.len(), takes_rest });
            shape.push_str(MARK);
        } else {
            shape.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    if parameters.len() > MOST_PARAMETERS {
        return Err(format!("a path can have {MOST_PARAMETERS} parameters at most"));
    }
    Ok((shape, parameters))
}

/// Splits behind a parameter's closing brace: into its name and the rest.
fn parameter(text: &str) -> Result<(&str, &str), String> {
    let end = text.find(['/', '{', '}']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(rest) = rest.strip_prefix('}') else {
        return Err(format!("`{{{name}` is never closed: write `{{{name}}}` for a parameter, `{{{{` for a brace"));
    };
    if name.is_empty() || name == "*" {
        return Err("a parameter has a name, as in `{id}`, or `{*rest}` for all the rest of a path".into());
    }
    if let Some(word) = name.strip_suffix('*') {
        return Err(format!("write `{{*{word}}}` for all the rest of a path"));
    }
    if name.chars().skip(1).any(|letter| letter == '*') {
        return Err(format!("`{name}` cannot be a parameter's name: it has a `*`"));
    }
    if !rest.is_empty() && !rest.starts_with('/') {
        return Err(format!("`{{{name}}}` goes up to the next `/`: nothing else can follow it"));
    }
    Ok((name, rest))
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use matchit::Router;
    use proc_macro2::Span;
    use syn::LitStr;

    use super::Path;

    const RANDOM_PAIRS: usize = 50_000;

    fn read(text: &str) -> syn::Result<Path> {
        Path::read(LitStr::new(text, Span::call_site()))
    }

    fn random_path(rng: &mut Rng) -> String {
        const PIECES: &[&str] = &[
            "/", "/", "/", "/{a}", "/{b}", "/{a}", "/{*a}", "/{*b}", "a", "b", "{a}", "{b}", "{*a}", "{", "}", "{{",
            "}}", "é", "*", "{}",
        ];
        let pieces = (0..rng.usize(1..7)).map(|_| PIECES[rng.usize(..PIECES.len())]);
        std::iter::once("/").chain(pieces).collect()
    }

    /// matchit is the router inside axum's.
    #[test]
    fn a_path_is_refused_here_if_the_router_refuses_it() {
        let rng = &mut Rng::with_seed(7);
        let (mut refused, mut clashes) = (0, 0);
        for _ in 0..RANDOM_PAIRS {
            let (first, second) = (random_path(rng), random_path(rng));
            let mut router = Router::new();
            let taken = router.insert(&first, ()).is_ok();
            match read(&first) {
                Ok(_) => assert!(taken, "{first}"),
                Err(error) => assert!(!taken || is_odd(&first), "{first}: {error}"),
            }
            refused += usize::from(!taken);
            let (Ok(a), Ok(b)) = (read(&first), read(&second)) else { continue };
            let both = router.insert(&second, ()).is_ok() || first == second;
            assert_eq!(a.clash(&b).is_none(), both, "{first} {second}");
            clashes += usize::from(!both);
        }
        assert!(refused > 1000 && clashes > 100, "{refused} {clashes}");
    }

    /// Paths that are refused here although matchit takes them: axum's old syntax, which axum itself refuses; a brace
    /// in a name; a name that comes twice.
    fn is_odd(path: &str) -> bool {
        let is_twice = |name: &str| {
            path.matches(&format!("{{{name}}}")).count() + path.matches(&format!("{{*{name}}}")).count() > 1
        };
        if is_twice("a") || is_twice("b") {
            return true;
        }
        let rest = ["{a}", "{b}", "{*a}"].iter().fold(path.to_owned(), |path, parameter| path.replace(parameter, ""));
        rest.contains(['{', '}']) || path.contains("/*")
    }

    #[test]
    fn braces_can_be_in_a_path() {
        for path in ["/{{a}}", "/a{{", "/}}/{a}", "/{{{a}", "/{{{{"] {
            assert!(read(path).is_ok(), "{path}");
            assert!(Router::new().insert(path, ()).is_ok(), "{path}");
        }
    }

    #[test]
    fn a_path_has_at_most_as_many_parameters_as_the_router_can_count() {
        let path = |count| (0..count).fold(String::new(), |path, nth| format!("{path}/{{p{nth}}}"));
        assert!(read(&path(25)).is_ok());
        assert!(Router::new().insert(path(25), ()).is_ok());
        assert!(read(&path(26)).is_err());
        assert!(std::panic::catch_unwind(|| Router::new().insert(path(26), ())).is_err());
    }
}
