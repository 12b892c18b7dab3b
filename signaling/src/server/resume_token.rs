//! Resume tokens: what a client shows to go on with its session.

use ring::hmac;

use crate::SessionId;

/// Issues resume tokens and knows them again. They hold for one process: the key is never stored.
pub(crate) struct ResumeTokens {
    key: hmac::Key,
}

const GENERATION_LEN: usize = 8;

impl ResumeTokens {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        // The seed makes ids as well, which everybody sees; the key must not be one of them.
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, seed), b"resume tokens");
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()) }
    }

    /// The token for the connection of this number of a session, in the hands of `subject`.
    pub(crate) fn issue(&self, session: SessionId, generation: u64, subject: &str) -> Vec<u8> {
        let mut token = generation.to_be_bytes().to_vec();
        token.extend_from_slice(hmac::sign(&self.key, &signed(session, generation, subject)).as_ref());
        token
    }

    /// Which connection of the session the token was issued to; `None` if it is not this session's or subject's.
    pub(crate) fn verify(&self, token: &[u8], session: SessionId, subject: &str) -> Option<u64> {
        let (generation, mac) = token.split_first_chunk::<GENERATION_LEN>()?;
        let generation = u64::from_be_bytes(*generation);
        hmac::verify(&self.key, &signed(session, generation, subject), mac).ok().map(|()| generation)
    }
}

/// What the signature covers. Two fields of fixed length before the one that is not: no two inputs sign alike.
fn signed(session: SessionId, generation: u64, subject: &str) -> Vec<u8> {
    [session.as_bytes(), &generation.to_be_bytes()[..], subject.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_session_and_subject_only() {
        let tokens = ResumeTokens::new(&[1; 32]);
        let session = SessionId::from_bytes([2; 16]);
        let token = tokens.issue(session, 3, "ann");
        assert_eq!(tokens.verify(&token, session, "ann"), Some(3));
        assert_eq!(tokens.verify(&token, session, "bob"), None);
        assert_eq!(tokens.verify(&token, SessionId::from_bytes([4; 16]), "ann"), None);
        assert_eq!(ResumeTokens::new(&[5; 32]).verify(&token, session, "ann"), None, "another process");
        let mut forged = token.clone();
        forged[7] += 1;
        assert_eq!(tokens.verify(&forged, session, "ann"), None, "another generation");
        assert_eq!(tokens.verify(&token[..39], session, "ann"), None);
        assert_eq!(tokens.verify(b"", session, "ann"), None);
    }
}
