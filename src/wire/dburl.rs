//! Where a database is, shown without its password.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A database URL. It holds a password, so it prints without.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DbUrl(pub String);

impl fmt::Display for DbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str("(database)") };
        // Like the driver: what precedes the first @ is user and password, whatever characters they are made of.
        let (credentials, place) = rest.split_once('@').unwrap_or(("", rest));
        if credentials.contains('=') {
            return write!(f, "{scheme}://(database)"); // the @ may be a password's, in the query: say too little
        }
        let place = place.split('?').next().unwrap_or(place); // a query can carry a password, too
        let place = place.rsplit('@').next().unwrap_or(place);
        write!(f, "{scheme}://{place}")
    }
}

impl fmt::Debug for DbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_prints_without_its_password() {
        for url in [
            "postgresql://me:se%2Fcret@db:5432/ingest",
            "postgresql://me:s@cret@db:5432/ingest?x=1",
            "postgresql://db:5432/ingest?user=me&password=secret",
        ] {
            let url = DbUrl(url.into());
            assert_eq!(url.to_string(), "postgresql://db:5432/ingest");
            assert_eq!(format!("{url:?}"), "postgresql://db:5432/ingest");
        }
        for url in ["postgresql://me:s/?ecret@db/x", "postgresql://db/x?password=a@ecret", "host=db password=secret"] {
            assert!(!DbUrl(url.into()).to_string().contains("ecret"), "{url}");
        }
    }
}
