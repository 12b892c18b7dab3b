use proptest::prelude::*;

use super::*;

/// RFC 7515, appendix A.1.
const RFC_KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const RFC_TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn secret() -> Secret {
    Secret::new(b"0123456789abcdef").unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A token with this header and these claims, properly signed.
fn signed(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let mac = BASE64.encode(hmac::sign(&secret().key, signed.as_bytes()));
    format!("{signed}.{mac}")
}

const HEADER: &str = r#"{"alg":"HS256"}"#;

fn reason(token: &str) -> String {
    match AccessToken::verify(token, &secret(), at(50)) {
        Err(TokenError::Rejected(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_of_the_standard_has_a_good_signature() {
    let key = Secret::new(&BASE64.decode(RFC_KEY).unwrap()).unwrap();
    let claims = payload(RFC_TOKEN, &key).unwrap();
    assert!(claims.starts_with(br#"{"iss":"joe""#));
    let mut forged = RFC_TOKEN.to_owned();
    forged.replace_range(60..61, "A");
    assert!(payload(&forged, &key).is_err());
}

#[test]
fn a_token_reads_back_as_it_was_signed() {
    let mut token = AccessToken::new("ann", "lobby", at(100));
    token.name = "Ann".into();
    token.metadata = "m".into();
    token.attributes.insert("k".into(), "v".into());
    token.grants.call = false;
    assert_eq!(AccessToken::verify(&token.sign(&secret()), &secret(), at(99)), Ok(token));
}

#[test]
fn a_token_is_worth_nothing_from_its_expiry_on() {
    let token = AccessToken::new("ann", "lobby", at(100)).sign(&secret());
    assert_eq!(AccessToken::verify(&token, &secret(), at(100)), Err(TokenError::Expired));
}

#[test]
fn algorithms_other_than_ours_are_refused_by_name() {
    let claims = r#"{"sub":"a","room":"r","exp":100}"#;
    assert!(reason(&signed(r#"{"alg":"none"}"#, claims)).contains("\"none\""));
    assert!(reason(&signed(r#"{"alg":"HS512"}"#, claims)).contains("\"HS512\""));
    assert!(reason(&signed(r#"{"alg":"hs256"}"#, claims)).contains("\"hs256\""));
    assert!(AccessToken::verify(&signed(HEADER, claims), &secret(), at(50)).is_ok());
}

#[test]
fn what_is_missing_or_odd_is_refused() {
    for claims in [
        r#"{"sub":"a","room":"r"}"#,
        r#"{"sub":"","room":"r","exp":100}"#,
        r#"{"sub":"a","room":"","exp":100}"#,
        r#"{"room":"r","exp":100}"#,
        r#"{"sub":"a","room":"r","exp":1e300}"#,
        r#"{"sub":"a","room":"r","exp":-1}"#,
        r#"{"sub":"a","room":"r","exp":"100"}"#,
        r#"{"sub":"a","room":"r","exp":100,"nbf":51}"#,
        "{}",
        "[]",
        "",
    ] {
        reason(&signed(HEADER, claims));
    }
    let good = signed(HEADER, r#"{"sub":"a","room":"r","exp":100}"#);
    reason(&format!("{good}."));
    reason(&format!("{good}="));
    reason(good.rsplit_once('.').unwrap().0);
    reason(&good[..good.len() - 4]);
    reason("");
    reason("..");
    reason(&"a".repeat(limits::MAX_TOKEN + 1));
}

#[test]
fn a_secret_that_can_be_guessed_is_refused() {
    assert_eq!(Secret::new(b"0123456789abcde").unwrap_err(), TokenError::ShortSecret { len: 15 });
}

proptest! {
    #[test]
    fn no_text_makes_the_verifier_panic(text in "\\PC{0,200}", claims in "\\PC{0,80}") {
        let _ = AccessToken::verify(&text, &secret(), at(0));
        let _ = AccessToken::verify(&signed(HEADER, &claims), &secret(), at(0));
        let _ = AccessToken::verify(&signed(&claims, &text), &secret(), at(0));
    }
}
