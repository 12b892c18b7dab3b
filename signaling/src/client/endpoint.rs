use http::Uri;

/// The parts of a server's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) uri: Uri,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) secure: bool,
}

/// Why a URL leads to no server. None of these goes away by trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadUrl {
    #[error("not a URL of the form ws://host:port/path")]
    Malformed,
    #[error("the scheme has to be ws or wss")]
    Scheme,
    #[error("a URL of a server names no user: use a token")]
    User,
    #[cfg(not(feature = "tls"))]
    #[error("wss needs the feature `tls`, which this build is without")]
    NoTls,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Self, BadUrl> {
        let uri: Uri = url.parse().map_err(|_| BadUrl::Malformed)?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            #[cfg(feature = "tls")]
            Some("wss") => true,
            #[cfg(not(feature = "tls"))]
            Some("wss") => return Err(BadUrl::NoTls),
            Some(_) => return Err(BadUrl::Scheme),
            None => return Err(BadUrl::Malformed),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(BadUrl::User);
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(BadUrl::Malformed);
        }
        let default = if secure { 443 } else { 80 };
        let port = match uri.port_u16() {
            Some(port) => port,
            // What stands after the host and is no port must not lead somewhere else. A colon alone means the default (RFC 3986, 3.2.3).
            None if uri.authority().is_some_and(|all| all.as_str().trim_end_matches(':').len() > all.host().len()) => {
                return Err(BadUrl::Malformed);
            }
            None => default,
        };
        Ok(Self { uri, host, port, secure })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_and_port() {
        let parts = |url| Endpoint::parse(url).map(|endpoint| (endpoint.host, endpoint.port));
        assert_eq!(parts("ws://rooms.example:7000/a?b=c"), Ok(("rooms.example".to_owned(), 7000)));
        assert_eq!(parts("ws://rooms.example"), Ok(("rooms.example".to_owned(), 80)));
        assert_eq!(parts("ws://[::1]:7000"), Ok(("::1".to_owned(), 7000)));
        assert_eq!(parts("ws://rooms.example:"), Ok(("rooms.example".to_owned(), 80)));
    }

    #[test]
    fn other_urls_are_refused() {
        let error = |url| Endpoint::parse(url).unwrap_err();
        assert_eq!(error("http://rooms.example"), BadUrl::Scheme);
        assert_eq!(error("rooms.example:7000"), BadUrl::Malformed);
        assert_eq!(error("ws://somebody@rooms.example"), BadUrl::User);
        assert_eq!(error(""), BadUrl::Malformed);
        assert_eq!(error("ws://rooms.example:99999"), BadUrl::Malformed);
        assert_eq!(error("ws://rooms.example:x/"), BadUrl::Malformed);
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn a_build_without_tls_says_so() {
        assert_eq!(Endpoint::parse("wss://rooms.example"), Err(BadUrl::NoTls));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_has_its_own_port() {
        let endpoint = Endpoint::parse("wss://rooms.example").unwrap();
        assert!(endpoint.secure);
        assert_eq!(endpoint.port, 443);
    }
}
