//! The addresses of services that run elsewhere.

use tonic::transport::Endpoint;

/// Reads the address of a service that runs elsewhere.
///
/// # Errors
///
/// Returns the expected form if it is another one.
pub(crate) fn endpoint(url: &str) -> Result<Endpoint, &'static str> {
    const EXPECTED: &str = "`http://host:port`, as in `http://10.0.0.7:50051`, or `unix:/path`";
    if let Some(path) = url.strip_prefix("unix:") {
        return if path.starts_with('/') {
            Endpoint::from_shared(url.to_owned()).map_err(|_| EXPECTED)
        } else {
            Err(EXPECTED)
        };
    }
    let uri: axum::http::Uri = url.parse().map_err(|_| EXPECTED)?;
    let is_bare = matches!(uri.path_and_query().map_or("/", |rest| rest.as_str()), "/");
    let host = uri.host().unwrap_or_default();
    // Only a port may follow the host; `a:b` has none that can be read.
    let is_host = uri.authority().is_some_and(|authority| uri.port().is_some() || authority.as_str() == host);
    if uri.scheme_str() != Some("http") || !is_bare || !is_host || host.is_empty() {
        return Err(EXPECTED);
    }
    Endpoint::from_shared(url.to_owned()).map_err(|_| EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn a_remote_service_has_a_url() {
        for good in [
            "http://localhost:50051",
            "http://10.0.0.7:50051/",
            "http://[::1]:1",
            "http://inventory",
            "unix:/run/inventory.sock",
        ] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost:50051",
            "10.0.0.7",
            "https://localhost:50051",
            "http://",
            "http://:1",
            "http://a:b",
            "http://a/b",
            "unix:a",
            "ftp://a:1",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
