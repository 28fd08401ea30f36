//! Host names and address blocks.

use std::borrow::Cow;
use std::net::IpAddr;

use super::macros::{string_conversions, text_value};
use super::{ValueError, ValueProblem, shown};

/// Longest host name in octets (RFC 1035, 2.3.4, without the root's dot).
const LONGEST_HOST: usize = 253;

/// Normalises to lower case without the trailing dot, an address to its shortest form; refuses URLs, ports and malformed
/// labels.
fn host(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let name = text.strip_suffix('.').unwrap_or(text);
    // Most are in lower case already.
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    let name = if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_ascii_lowercase()) };
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(address.to_canonical().to_string().into());
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name whose last label is a number is an address, mistyped or in a notation that hides which (`2851995905`,
    // `0xa9fe0101`), and never a name that resolves (WHATWG URL, "ends in a number").
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if name.len() <= LONGEST_HOST && !numeric && name.split('.').all(label) {
        return Ok(name);
    }
    let help = if text.contains("://") {
        "write the host alone, without scheme or path"
    } else if text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        "write the host alone; the port has its own field"
    } else {
        "a host is a DNS name such as smpp.carrier.example or an IP address"
    };
    Err(ValueError::new(ValueProblem::BadHost, format!("{} is neither a host name nor an address", shown(text)))
        .help(help))
}

text_value!(
    /// A host name in lower case without trailing dot, or an IP address.
    Host, host, {
        "type": "string", "minLength": 1, "maxLength": 254, "pattern": "^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(\\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\\.?$|^[0-9A-Fa-f:.]+$",
        "description": "Host name or IP address of the carrier's SMSC. Compared in lower case without a trailing dot."
    }
);

/// An IPv4 or IPv6 address block such as `192.0.2.0/24`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde_with::SerializeDisplay,
    serde_with::DeserializeFromStr,
)]
pub struct Cidr(ipnet::IpNet);

impl std::str::FromStr for Cidr {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // A length of 08 is a slip, or octal, and so are numbers of an address.
        let is_plain = text.rsplit_once('/').is_some_and(|(address, length)| {
            (length == "0" || !length.starts_with('0')) && address.parse::<IpAddr>().is_ok()
        });
        let block = text.parse().ok();
        if let Some(block) = block.filter(|_| is_plain) {
            return Ok(Self(block));
        }
        let help = match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => format!("write \"{text}/32\" for one address"),
            Ok(IpAddr::V6(_)) => format!("write \"{text}/128\" for one address"),
            Err(_) if block.is_some() => {
                "write its numbers without leading zeros, which some programs read as octal".to_owned()
            }
            Err(_) => "an address block is an address and a prefix length, such as \"192.0.2.0/24\"".to_owned(),
        };
        Err(ValueError::new(ValueProblem::BadCidr, format!("{} is not an address block", shown(text))).help(help))
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

string_conversions!(Cidr, {
    "type": "string", "anyOf": [
        {"pattern": "^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])$"},
        {"pattern": "^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$"}
    ],
    "description": "Address block in CIDR notation."
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_normalised_and_urls_refused() {
        for (text, host) in [
            ("SMPP.Roshan.Example.", "smpp.roshan.example"),
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1.", "192.0.2.1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().as_str(), host);
        }
        for text in [
            "",
            ".",
            "a..b",
            "http://a.example",
            "a.example:2775",
            "-a.example",
            "192.0.2",
            "2851995905",
            "0xa9fe0101",
            "a b",
            "ä.example",
        ] {
            assert_eq!(text.parse::<Host>().unwrap_err().problem, ValueProblem::BadHost, "{text}");
        }
    }

    #[test]
    fn blocks_need_a_length() {
        assert!("198.51.100.0/24".parse::<Cidr>().is_ok());
        assert_eq!(
            "198.51.100.7".parse::<Cidr>().unwrap_err().help.unwrap(),
            "write \"198.51.100.7/32\" for one address"
        );
        for text in ["010.0.0.0/8", "192.000.002.000/28"] {
            assert!(text.parse::<Cidr>().unwrap_err().help.unwrap().contains("leading zeros"), "{text}");
        }
        for text in ["198.51.100.0/33", "198.51.100.0/08", "2001:db8::/129", "198.51.100/24"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
