//! Who may come in: whoever shows the token.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};

/// Knows the token by its sum alone. To compare sums takes as long whatever is shown, and a sum tells nothing of the token.
pub(super) struct Door(Option<[u8; 32]>);

impl Door {
    pub(super) fn new(token: Option<&str>) -> Self {
        Self(token.map(|token| Sha256::digest(token.trim()).into()))
    }

    /// `Authorization: Bearer TOKEN`.
    pub(super) fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(wanted) = &self.0 else { return true };
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = shown
            .and_then(|value| value.split_once(' '))
            .filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"))
        else {
            return false;
        };
        let sum: [u8; 32] = Sha256::digest(token.1.trim()).into();
        sum == *wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_opens() {
        let shown = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            headers
        };
        let door = Door::new(Some("secret\n"));
        assert!(door.lets_in(&shown("Bearer secret")) && door.lets_in(&shown("bearer  secret")));
        for value in ["Bearer", "Bearer ", "Bearer secre", "Basic secret", "secret", "Bearer secret2"] {
            assert!(!door.lets_in(&shown(value)), "{value}");
        }
        assert!(!door.lets_in(&HeaderMap::new()));
        assert!(Door::new(None).lets_in(&HeaderMap::new()));
    }
}
