//! Access: probes are for all, pages for people on this machine or where there is a token, and control for those who have
//! the token.

use std::fmt;
use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq as _;

/// The secret that control needs. Its text is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns true if a request has it: `authorization: Bearer …`. The time that this takes tells only the length.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().split_first_chunk::<7>());
        let bearer = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
        bearer.is_some_and(|(_, token)| self.0.as_bytes().ct_eq(token.trim_ascii()).into())
    }
}

/// Returns true for an address that only this machine can reach: a loopback address, `localhost`, or a unix socket.
pub(super) fn is_local(address: &str) -> bool {
    if address.starts_with("unix:") {
        return true;
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.eq_ignore_ascii_case("localhost") || ip(host).is_some_and(|ip| ip.is_loopback())
}

fn ip(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Refuses what a page of another site asks a browser to send here. Such a request has the site's name as its `Origin`,
/// or, if the site has made its name lead to this machine, as its `Host`.
pub(super) async fn only_from_here(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // Over HTTP/2 the host is a part of the URI.
    let host = request.uri().authority().map(Authority::as_str).or_else(|| text(HOST)).unwrap_or_default();
    if !is_of_no_site(host) {
        return (StatusCode::FORBIDDEN, "ask by the IP address of this server, or as localhost: its Host is another\n")
            .into_response();
    }
    match headers.get(ORIGIN) {
        Some(origin) if origin.as_bytes() != format!("http://{host}").as_bytes() => {
            (StatusCode::FORBIDDEN, "this comes from the page of another site: its Origin is another\n").into_response()
        }
        _ => next.run(request).await,
    }
}

/// Returns true for a host that no other site can have as its name.
fn is_of_no_site(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || ip(name).is_some()
}

/// Lets only those through who have the token.
pub(super) async fn only_with(State(token): State<Token>, request: Request, next: Next) -> Response {
    if token.is_in(request.headers()) {
        return next.run(request).await;
    }
    let challenge = [("www-authenticate", "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, "send the token: `authorization: Bearer …`\n").into_response()
}

/// The answer to all but the probes, on an address that others can reach, without a token.
pub(super) async fn closed() -> impl IntoResponse {
    let why = "only probes, metrics and status are served here: this address can be reached from elsewhere, and \
               GROUP_ADMIN_TOKEN is not set\n";
    (StatusCode::FORBIDDEN, why)
}

/// The answer to control without a token.
pub(super) async fn uncontrolled() -> impl IntoResponse {
    (StatusCode::FORBIDDEN, "this group cannot be steered from here: GROUP_ADMIN_TOKEN is not set\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_unix_sockets_are_local() {
        let local = ["127.0.0.1:9900", "127.1.2.3:0", "[::1]:9900", "localhost:9900", "unix:/run/admin.sock"];
        assert!(local.into_iter().all(is_local));
        let reached =
            ["0.0.0.0:9900", "[::]:9900", "10.0.0.7:9900", "example.com:9900", "fd:admin", "127.example.com:1"];
        assert!(!reached.into_iter().any(is_local));
    }

    #[test]
    fn a_host_that_a_site_can_have_is_refused() {
        let fine = ["127.0.0.1", "127.0.0.1:9900", "[::1]:9900", "[::1]", "localhost", "LOCALHOST:1", "10.2.3.4:9900"];
        assert!(fine.into_iter().all(is_of_no_site));
        let foreign = ["", "example.com", "localhost.example.com:9900", "127.0.0.1.example.com", "a@127.0.0.1.nip.io"];
        assert!(!foreign.into_iter().any(is_of_no_site));
    }

    #[test]
    fn a_token_must_be_whole_and_is_never_shown() {
        let token = Token::new("open sesame".to_owned());
        let asked = |value: &'static str| {
            token.is_in(&HeaderMap::from_iter([(AUTHORIZATION, value.parse().expect("it is a header"))]))
        };
        assert!(asked("Bearer open sesame") && asked("bearer open sesame"));
        let wrong = ["", "Bearer", "Bearer ", "Bearer open", "Bearer open sesame!", "Basic open sesame", "open sesame"];
        assert!(!wrong.into_iter().any(asked) && !token.is_in(&HeaderMap::new()));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
}
