//! OpenSSH's file of known hosts (sshd(8), `SSH_KNOWN_HOSTS FILE FORMAT`): names, patterns, hashed names, ports and
//! revoked keys. Certificate authorities are skipped, as the client offers no host certificates.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

/// What a file says of a host's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the host's.
    Known,
    /// The host has no such key in the file.
    Unknown,
    /// It must not be used any more.
    Revoked,
}

/// Looks a key, in base 64, up for a host.
pub(super) fn verdict(file: &str, host: &str, port: u16, key: &str) -> Verdict {
    let name = if port == 22 { host.to_ascii_lowercase() } else { format!("[{}]:{port}", host.to_ascii_lowercase()) };
    let mut verdict = Verdict::Unknown;
    for line in file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        let (marker, names) =
            if first.starts_with('@') { (first, words.next().unwrap_or_default()) } else { ("", first) };
        // The kind of the key is part of the key itself.
        let known = words.nth(1).unwrap_or_default();
        if known != key || !is_named(names, &name) {
            continue;
        }
        match marker {
            "@revoked" => return Verdict::Revoked,
            "" => verdict = Verdict::Known,
            _ => {}
        }
    }
    verdict
}

/// Whether a list of names and patterns, or a hashed name, means a host. A pattern after `!` excludes.
fn is_named(names: &str, host: &str) -> bool {
    if let Some(hashed) = names.strip_prefix("|1|") {
        return is_hashed(hashed, host).unwrap_or_default();
    }
    let mut found = false;
    for pattern in names.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, host) => return false,
            Some(_) => {}
            None => found |= matches(pattern, host),
        }
    }
    found
}

/// `salt|HMAC-SHA1(salt, host)`, both in base 64.
fn is_hashed(hashed: &str, host: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let (salt, hash) = (BASE64_STANDARD.decode(salt).ok()?, BASE64_STANDARD.decode(hash).ok()?);
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    mac.update(host.as_bytes());
    Some(mac.verify_slice(&hash).is_ok())
}

/// `*` stands for any characters, `?` for one.
fn matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase().into_bytes(), host.as_bytes());
    // Where the last star was, and how much of the host it stands for so far.
    let (mut p, mut h, mut star) = (0, 0, None);
    while h < host.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, h));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == host[h] => (p, h) = (p + 1, h + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, h) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
# comment
git.example,10.0.0.1 ssh-ed25519 AAAA1 someone
[git.example]:2222 ssh-ed25519 AAAA2
*.forge.example,!old.forge.example ssh-rsa AAAA3
@revoked git.example ssh-ed25519 AAAA4
git.example ssh-ed25519 AAAA4
@cert-authority *.example ssh-ed25519 AAAA5
|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 AAAA6
";

    #[test]
    fn a_key_is_looked_up_as_openssh_does() {
        for (host, port, key, wanted) in [
            ("git.example", 22, "AAAA1", Verdict::Known),
            ("GIT.example", 22, "AAAA1", Verdict::Known),
            ("10.0.0.1", 22, "AAAA1", Verdict::Known),
            ("git.example", 2222, "AAAA1", Verdict::Unknown),
            ("git.example", 2222, "AAAA2", Verdict::Known),
            ("git.example", 22, "AAAA2", Verdict::Unknown),
            ("a.forge.example", 22, "AAAA3", Verdict::Known),
            ("old.forge.example", 22, "AAAA3", Verdict::Unknown),
            ("forge.example", 22, "AAAA3", Verdict::Unknown),
            ("git.example", 22, "AAAA4", Verdict::Revoked),
            ("git.example", 22, "AAAA5", Verdict::Unknown),
            // The example of sshd(8): the hashed name is 192.168.1.61.
            ("192.168.1.61", 22, "AAAA6", Verdict::Known),
            ("192.168.1.62", 22, "AAAA6", Verdict::Unknown),
            ("git.example", 22, "", Verdict::Unknown),
        ] {
            assert_eq!(verdict(FILE, host, port, key), wanted, "{host}:{port} {key}");
        }
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, host, wanted) in [
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("?", "a", true),
            ("?", "ab", false),
            ("*", "", true),
            ("a*b*c", "aXbXbc", true),
        ] {
            assert_eq!(matches(pattern, host), wanted, "{pattern} {host}");
        }
    }
}
