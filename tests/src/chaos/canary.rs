//! Passwords that can be told from everything else: each begins with a word drawn for the campaign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The word, and the forms a password might leave in.
#[derive(Debug, Clone)]
pub struct Canary {
    word: String,
    forms: Vec<String>,
}

impl Canary {
    /// The word of a seed. It is written nowhere, so a search for it finds passwords only.
    pub fn of(seed: u64) -> Self {
        let mut draw = fastrand::Rng::with_seed(seed ^ 0xca_0a_21);
        let word: String = std::iter::repeat_with(|| draw.lowercase()).take(12).collect();
        let mut forms = vec![word.clone(), hex::encode(&word)];
        // Base64 of it inside a longer text: three forms, by where it begins, without the characters that neighbours enter.
        for ahead in 0..3 {
            let padded = [vec![b'.'; ahead], word.clone().into_bytes()].concat();
            let text = STANDARD.encode(padded);
            let from = (ahead * 8).div_ceil(6);
            let to = (ahead + word.len()) * 8 / 6;
            forms.push(text[from..to].to_owned());
        }
        Self { word, forms }
    }

    /// The password with a number.
    pub fn password(&self, number: u32) -> String {
        format!("{}{number:06}", self.word)
    }

    /// Whether a text holds a password, or a part of one, in some form.
    pub fn is_in(&self, text: &str) -> bool {
        self.forms.iter().any(|form| text.contains(form.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_found_in_every_form() {
        let canary = Canary::of(7);
        for number in [0, 17, 999_999] {
            let password = canary.password(number);
            assert!(canary.is_in(&format!("password={password};")));
            assert!(canary.is_in(&hex::encode(format!("x{password}"))));
            for ahead in ["", "a", "ab", "abc", "{\"password\":\""] {
                assert!(canary.is_in(&STANDARD.encode(format!("{ahead}{password}\"}}"))), "{ahead}");
            }
        }
        assert!(!canary.is_in(&Canary::of(8).password(17)));
        assert!(!canary.is_in("op-17 sys-op-17 h17.example"));
    }
}
