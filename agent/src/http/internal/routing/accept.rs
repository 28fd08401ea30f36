//! Which form of the routing table a client wants (RFC 9110, 12.5.1).

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};
use bindery_schema::wire::routing::{COMPACT, LINES};

/// A form of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON document: for people, and for whoever names nothing else.
    Json,
    /// One JSON object a line.
    Lines,
    /// The compact encoding.
    Compact,
}

impl Form {
    /// Every one, the one that is taken first where all are welcome at the head.
    const ALL: [Self; 3] = [Self::Json, Self::Lines, Self::Compact];

    /// The form a request wants most; none where it wants nothing that there is.
    pub(super) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        if values.is_empty() {
            return Some(Self::Json);
        }
        let ranges: Vec<(String, u16)> = values.iter().flat_map(|value| value.split(',')).map(range).collect();
        let mut best: Option<(u16, Self)> = None;
        for form in Self::ALL {
            let quality = form.quality(&ranges);
            if quality > 0 && best.is_none_or(|(other, _)| quality > other) {
                best = Some((quality, form));
            }
        }
        best.map(|(_, form)| form)
    }

    /// How welcome it is, in thousandths: the most precise range that it falls into decides.
    fn quality(self, ranges: &[(String, u16)]) -> u16 {
        let whole = self.media_type();
        let kind = whole.split_once('/').map_or(whole, |(kind, _)| kind);
        let of = |wanted: &str| ranges.iter().find(|(range, _)| range == wanted).map(|(_, quality)| *quality);
        of(whole).or_else(|| of(&format!("{kind}/*"))).or_else(|| of("*/*")).unwrap_or(0)
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => LINES,
            Self::Compact => COMPACT,
        }
    }

    /// `Content-Type` of the answer.
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(self.media_type())
    }

    /// The entity tag of a step's table in this form: two forms are not the same bytes.
    pub(super) fn tag(self, generation: i64) -> String {
        let form = match self {
            Self::Json => "",
            Self::Lines => "-lines",
            Self::Compact => "-v1",
        };
        format!("\"g{generation}{form}\"")
    }
}

/// A media range in lower case without parameters, and its weight in thousandths; one that cannot be read counts fully.
fn range(text: &str) -> (String, u16) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = weight.and_then(|weight| weight.parse::<f32>().ok()).unwrap_or(1.0).clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (weight * 1000.0).round() as u16;
    (range, thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(values: &[&str]) -> Option<Form> {
        let pairs = values.iter().map(|value| (ACCEPT, HeaderValue::from_str(value).unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        Form::wanted(&headers)
    }

    #[test]
    fn the_most_welcome_form_is_sent() {
        for (values, expected) in [
            (&[][..], Some(Form::Json)),
            (&["*/*"], Some(Form::Json)),
            (&["application/*"], Some(Form::Json)),
            (&[COMPACT], Some(Form::Compact)),
            (&["application/x-ndjson"], Some(Form::Lines)),
            (&["Application/X-NDJSON; q=0.5, */*;q=0.1"], Some(Form::Lines)),
            (&["application/json;q=0.5", COMPACT], Some(Form::Compact)),
            (&["application/json;q=0, application/*"], Some(Form::Lines)),
            (&["text/html, application/json;q=0.9"], Some(Form::Json)),
            (&["text/html"], None),
            (&["application/json;q=0"], None),
        ] {
            assert_eq!(wanted(values), expected, "{values:?}");
        }
        assert_eq!(Form::Compact.tag(7), "\"g7-v1\"");
    }
}
