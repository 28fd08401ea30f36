//! Dates, times of day, instants and time zones.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::macros::{string_conversions, text_value};
use super::{ValueError, ValueProblem, shown};

fn digits_at(text: &str, template: &str) -> bool {
    text.len() == template.len()
        && text.bytes().zip(template.bytes()).all(|(b, t)| if t == b'0' { b.is_ascii_digit() } else { b == t })
}

/// A calendar day, `YYYY-MM-DD`, meaning its midnight in UTC.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde_with::SerializeDisplay, serde_with::DeserializeFromStr,
)]
pub struct Day(Date);

impl Day {
    /// The last day there is.
    pub const LAST: Self = Self(Date::MAX);

    /// The day's date.
    pub fn date(self) -> Date {
        self.0
    }

    /// The day an instant falls on, in UTC.
    pub fn of(instant: Timestamp) -> Self {
        Self(TimeZone::UTC.to_datetime(instant).date())
    }

    /// The day before.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.yesterday().unwrap_or(self.0))
    }

    /// The day after.
    #[must_use]
    pub fn after(self) -> Self {
        Self(self.0.tomorrow().unwrap_or(self.0))
    }

    /// The day's beginning.
    pub fn midnight(self) -> Timestamp {
        // Every date a `Day` can hold has a midnight in UTC.
        TimeZone::UTC.to_timestamp(self.0.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
    }
}

impl FromStr for Day {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.parse::<Date>() {
            Ok(date) if digits_at(text, "0000-00-00") && date.year() >= 1970 => Ok(Self(date)),
            _ => Err(ValueError::new(ValueProblem::BadDate, format!("{} is not a date", shown(text)))
                .help("a date is YYYY-MM-DD, such as \"2026-12-01\", and means midnight UTC")),
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

string_conversions!(Day, {
    "type": "string", "format": "date",
    // Days of each month; whether a year has a 29 February is the format's to say.
    "pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))$",
    "description": "Calendar day YYYY-MM-DD, meaning midnight UTC."
});

/// An instant, RFC 3339 with offset, to the millisecond: what is finer is cut off, since no wire type carries it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde_with::SerializeDisplay, serde_with::DeserializeFromStr,
)]
pub struct Instant(Timestamp);

impl Instant {
    /// The instant as a timestamp.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Instant {
    fn from(timestamp: Timestamp) -> Self {
        // The floor of an instant in range is in range.
        let floor = timestamp.as_nanosecond().div_euclid(1_000_000);
        Self(i64::try_from(floor).ok().and_then(|floor| Timestamp::from_millisecond(floor).ok()).unwrap_or(timestamp))
    }
}

impl FromStr for Instant {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.parse::<Timestamp>() {
            Ok(timestamp) if is_rfc_3339(text) => Ok(timestamp.into()),
            _ => Err(ValueError::new(ValueProblem::BadDate, format!("{} is not an instant", shown(text)))
                .help("an instant is RFC 3339 with offset, such as \"2026-12-01T22:00:00Z\"")),
        }
    }
}

/// Whether a time is written as RFC 3339, 5.6 asks: date, `T`, seconds, perhaps a fraction behind a point, and an offset of
/// hours and minutes. jiff reads other forms too.
fn is_rfc_3339(text: &str) -> bool {
    let Some((head, tail)) = text.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    let offset = match tail.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => tail,
    };
    let is_numeric = || ["+00:00", "-00:00"].iter().any(|form| digits_at(offset, form)) && is_time_of_day(&offset[1..]);
    digits_at(&head.to_ascii_uppercase(), "0000-00-00T00:00:00") && (offset.eq_ignore_ascii_case("z") || is_numeric())
}

impl fmt::Display for Instant {
    /// UTC with milliseconds, the form every wire type uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

string_conversions!(Instant, {
    "type": "string", "format": "date-time",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
    "description": "Instant, RFC 3339 with offset."
});

fn clock_time(text: &str) -> Result<Cow<'_, str>, ValueError> {
    if is_time_of_day(text) {
        return Ok(text.into());
    }
    Err(ValueError::new(ValueProblem::BadDate, format!("{} is not a time of day", shown(text)))
        .help("a time of day is HH:MM from 00:00 to 23:59, such as \"22:00\""))
}

/// Whether a text is hours and minutes of a day.
fn is_time_of_day(text: &str) -> bool {
    let in_range = || Some(text.get(..2)?.parse::<u8>().ok()? < 24 && text.get(3..)?.parse::<u8>().ok()? < 60);
    digits_at(text, "00:00") && in_range() == Some(true)
}

fn timezone(text: &str) -> Result<Cow<'_, str>, ValueError> {
    // The database that is built in: that of the machine may hold other names, and what counts is the same everywhere.
    let known = TimeZoneDatabase::bundled().get(text).ok().filter(|zone| !zone.is_unknown());
    let spelt = known.as_ref().and_then(TimeZone::iana_name);
    // Its own spelling is asked for: `utc` resolves but is written `UTC`.
    if spelt == Some(text) {
        return Ok(text.into());
    }
    let error = ValueError::new(ValueProblem::NotInList, format!("{} is no IANA time zone", shown(text)));
    Err(match spelt {
        Some(name) => error.help(format!("write {name}")),
        None => error.help("use a name of the IANA list, such as Asia/Kabul or UTC"),
    })
}

text_value!(
    /// A time of day, `HH:MM`.
    ClockTime, clock_time, {
        "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "description": "Time of day HH:MM."
    }
);
text_value!(
    /// A time zone of the IANA list.
    Timezone, timezone, {
        "type": "string", "pattern": "^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
        "description": "IANA time zone, such as Asia/Kabul."
    }
);

/// A day of the week as change windows name it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_real_days_in_one_spelling() {
        assert_eq!("2028-02-29".parse::<Day>().unwrap().to_string(), "2028-02-29");
        for text in ["2026-02-29", "2026-13-01", "20260101", "2026-1-1", "2026-01-01T00:00", ""] {
            assert_eq!(text.parse::<Day>().unwrap_err().problem, ValueProblem::BadDate, "{text}");
        }
    }

    #[test]
    fn instants_carry_an_offset() {
        let instant: Instant = "2026-12-01T23:30:00+04:30".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-12-01T19:00:00.000Z");
        let finer: Instant = "2026-12-01t19:00:00.0009z".parse().unwrap();
        assert_eq!(finer, instant, "what is finer than a millisecond is cut off");
        for text in [
            "2026-12-01T23:30:00",
            "2026-12-01",
            "2026-12-01 23:30Z",
            "2026-12-01T23:30:00,5Z",
            "2026-12-01T23:30:00-04",
            "2026-12-01T23:30:00+24:00",
            "2026-12-01T23:30:00+04:60",
            "2026-12-01T23:30:00+04:30:15",
            "2026-12-01T23:30:00+04:30[Asia/Kabul]",
            "noon",
        ] {
            assert!(text.parse::<Instant>().is_err(), "{text}");
        }
    }

    #[test]
    fn zones_and_times_are_checked() {
        assert!("Asia/Kabul".parse::<Timezone>().is_ok() && "UTC".parse::<Timezone>().is_ok());
        for text in ["Asia/Atlantis", "localtime", "posixrules", "posix/UTC", "right/UTC", "Etc/Unknown", ""] {
            assert!(text.parse::<Timezone>().is_err(), "{text}");
        }
        assert_eq!("asia/kabul".parse::<Timezone>().unwrap_err().help.as_deref(), Some("write Asia/Kabul"));
        assert!("23:59".parse::<ClockTime>().is_ok());
        for text in ["24:00", "7:00", "07:60", "22.00", "0700"] {
            assert!(text.parse::<ClockTime>().is_err(), "{text}");
        }
    }
}
