// SPDX-License-Identifier: Apache-2.0
//! Headers by which a proxy tells an app about its visitor. A client's own are lies until proven otherwise.

/// Names that never pass from a client.
const NAMES: &[&str] =
    &["forwarded", "proxy", "remote-email", "remote-groups", "remote-name", "remote-user", "x-real-ip", "x-request-id"];

/// Beginnings of names that never pass from a client: `X-Forwarded-User`, `X-Auth-Request-Email`, `X-Remote-User` and so on.
const FAMILIES: &[&str] = &["x-auth-request-", "x-forwarded-", "x-lithouse-", "x-remote-"];

/// Whether only we may say this. Underscores count as hyphens, as they do to every CGI-like interface that apps are behind.
pub(super) fn is_ours_to_say(name: &str) -> bool {
    let Some(b'f' | b'p' | b'r' | b'x') = name.as_bytes().first() else { return false };
    let begins_with = |family: &str| {
        name.len() >= family.len()
            && name.bytes().zip(family.bytes()).all(|(ours, theirs)| ours == theirs || (ours == b'_' && theirs == b'-'))
    };
    NAMES.iter().any(|known| known.len() == name.len() && begins_with(known)) || FAMILIES.iter().any(|family| begins_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_identity_is_ours_to_say() {
        for name in [
            "x-forwarded-user",
            "x-forwarded-email",
            "x-forwarded-groups",
            "x-forwarded-preferred-username",
            "x-forwarded-for",
            "x_forwarded_for",
            "x-forwarded_user",
            "x-auth-request-user",
            "x_auth_request_email",
            "x-remote-user",
            "remote-user",
            "remote_user",
            "remote-email",
            "remote-groups",
            "remote-name",
            "x-lithouse-user",
            "x_lithouse_anything",
            "forwarded",
            "x-real-ip",
            "x_real_ip",
            "x-request-id",
            "x_request_id",
            "proxy",
        ] {
            assert!(is_ours_to_say(name), "{name}");
        }
    }

    #[test]
    fn other_headers_pass() {
        for name in
            ["x-xsrftoken", "x-forward", "remote-users", "referer", "forwarded-x", "proxy-x", "x-lithouse", "cookie", "range"]
        {
            assert!(!is_ours_to_say(name), "{name}");
        }
    }
}
