//! Which country a number belongs to, by its country code.
//!
//! The codes are those of the "List of ITU-T Recommendation E.164 assigned country codes" (annex to ITU Operational
//! Bulletin 1114), with ISO 3166-1 alpha-2 codes beside them. Codes that several countries share are told apart by
//! what follows: +1 by the area codes the North American Numbering Plan Administration lists, +7 by its first digit
//! (6 and 7 are Kazakhstan's), the others by the ranges their regulators publish. What no country owns, such as
//! toll-free, personal and satellite numbers, has none. XK for Kosovo is the user-assigned code in general use; AC for
//! Ascension and TA for Tristan da Cunha are reserved in ISO 3166, as libphonenumber has them.

use bindery_schema::value::E164Prefix;

/// Longest entry of the list in digits.
const LONGEST: usize = 8;

/// The ISO 3166-1 alpha-2 code of the country a number belongs to; none where no single country owns it, or where
/// the number is too short to tell.
///
/// ```
/// use bindery_compiler::trace::{country, number};
///
/// assert_eq!(country::of(number::parse("+93791234567")?), Some("AF"));
/// assert_eq!(country::of(number::parse("+1 604 555 0100")?), Some("CA"));
/// assert_eq!(country::of(number::parse("+1 800 555 0100")?), None);
/// # Ok::<(), number::Error>(())
/// ```
pub fn of(number: E164Prefix) -> Option<&'static str> {
    let digits = number.digits();
    let longest_first = (1..=digits.len().min(LONGEST)).rev();
    let found = longest_first.filter_map(|length| {
        let index = COUNTRIES.binary_search_by(|(code, _)| (*code).cmp(&digits[..length])).ok()?;
        Some(COUNTRIES[index].1)
    });
    found.take(1).find(|country| !country.is_empty())
}

/// Leading digits and country in the order of the digits; no country where the longer entry takes a range out of a
/// shorter one.
#[rustfmt::skip]
const COUNTRIES: [(&str, &str); 354] = [
    ("12", "US"), ("1204", "CA"), ("1226", "CA"), ("1236", "CA"), ("1242", "BS"), ("1246", "BB"), ("1249", "CA"),
    ("1250", "CA"), ("1257", "CA"), ("1263", "CA"), ("1264", "AI"), ("1268", "AG"), ("1284", "VG"), ("1289", "CA"),
    ("13", "US"), ("1306", "CA"), ("1340", "VI"), ("1343", "CA"), ("1345", "KY"), ("1354", "CA"), ("1365", "CA"),
    ("1367", "CA"), ("1368", "CA"), ("1382", "CA"), ("14", "US"), ("1403", "CA"), ("1416", "CA"), ("1418", "CA"),
    ("1428", "CA"), ("1431", "CA"), ("1437", "CA"), ("1438", "CA"), ("1441", "BM"), ("1450", "CA"), ("1468", "CA"),
    ("1473", "GD"), ("1474", "CA"), ("15", "US"), ("1500", ""), ("1506", "CA"), ("1514", "CA"), ("1519", "CA"),
    ("1521", ""), ("1522", ""), ("1523", ""), ("1524", ""), ("1525", ""), ("1526", ""), ("1527", ""), ("1528", ""),
    ("1529", ""), ("1533", ""), ("1544", ""), ("1548", "CA"), ("1566", ""), ("1577", ""), ("1579", "CA"),
    ("1581", "CA"), ("1584", "CA"), ("1587", "CA"), ("1588", ""), ("16", "US"), ("1600", "CA"), ("1604", "CA"),
    ("1613", "CA"), ("1639", "CA"), ("1647", "CA"), ("1649", "TC"), ("1658", "JM"), ("1664", "MS"), ("1670", "MP"),
    ("1671", "GU"), ("1672", "CA"), ("1683", "CA"), ("1684", "AS"), ("17", "US"), ("1700", ""), ("1705", "CA"),
    ("1709", "CA"), ("1721", "SX"), ("1742", "CA"), ("1753", "CA"), ("1758", "LC"), ("1767", "DM"), ("1778", "CA"),
    ("1780", "CA"), ("1782", "CA"), ("1784", "VC"), ("1787", "PR"), ("18", "US"), ("1800", ""), ("1807", "CA"),
    ("1809", "DO"), ("1819", "CA"), ("1822", ""), ("1825", "CA"), ("1829", "DO"), ("1833", ""), ("1844", ""),
    ("1849", "DO"), ("1855", ""), ("1866", ""), ("1867", "CA"), ("1868", "TT"), ("1869", "KN"), ("1873", "CA"),
    ("1876", "JM"), ("1877", ""), ("1879", "CA"), ("1888", ""), ("19", "US"), ("1900", ""), ("1902", "CA"),
    ("1905", "CA"), ("1939", "PR"), ("1942", "CA"), ("20", "EG"), ("211", "SS"), ("212", "MA"), ("213", "DZ"),
    ("216", "TN"), ("218", "LY"), ("220", "GM"), ("221", "SN"), ("222", "MR"), ("223", "ML"), ("224", "GN"),
    ("225", "CI"), ("226", "BF"), ("227", "NE"), ("228", "TG"), ("229", "BJ"), ("230", "MU"), ("231", "LR"),
    ("232", "SL"), ("233", "GH"), ("234", "NG"), ("235", "TD"), ("236", "CF"), ("237", "CM"), ("238", "CV"),
    ("239", "ST"), ("240", "GQ"), ("241", "GA"), ("242", "CG"), ("243", "CD"), ("244", "AO"), ("245", "GW"),
    ("246", "IO"), ("247", "AC"), ("248", "SC"), ("249", "SD"), ("250", "RW"), ("251", "ET"), ("252", "SO"),
    ("253", "DJ"), ("254", "KE"), ("255", "TZ"), ("256", "UG"), ("257", "BI"), ("258", "MZ"), ("260", "ZM"),
    ("261", "MG"), ("262", "RE"), ("262269", "YT"), ("262639", "YT"), ("262709", "YT"), ("263", "ZW"), ("264", "NA"),
    ("265", "MW"), ("266", "LS"), ("267", "BW"), ("268", "SZ"), ("269", "KM"), ("27", "ZA"), ("290", "SH"), ("2908", "TA"),
    ("291", "ER"), ("297", "AW"), ("298", "FO"), ("299", "GL"), ("30", "GR"), ("31", "NL"), ("32", "BE"),
    ("33", "FR"), ("34", "ES"), ("350", "GI"), ("351", "PT"), ("352", "LU"), ("353", "IE"), ("354", "IS"),
    ("355", "AL"), ("356", "MT"), ("357", "CY"), ("358", "FI"), ("35818", "AX"), ("359", "BG"), ("36", "HU"),
    ("370", "LT"), ("371", "LV"), ("372", "EE"), ("373", "MD"), ("374", "AM"), ("375", "BY"), ("376", "AD"),
    ("377", "MC"), ("378", "SM"), ("379", "VA"), ("380", "UA"), ("381", "RS"), ("382", "ME"), ("383", "XK"),
    ("385", "HR"), ("386", "SI"), ("387", "BA"), ("389", "MK"), ("39", "IT"), ("3906698", "VA"), ("40", "RO"),
    ("41", "CH"), ("420", "CZ"), ("421", "SK"), ("423", "LI"), ("43", "AT"), ("44", "GB"), ("441481", "GG"),
    ("441534", "JE"), ("441624", "IM"), ("447509", "JE"), ("447524", "IM"), ("447624", "IM"),
    ("447781", "GG"), ("447797", "JE"), ("447829", "JE"), ("447839", "GG"), ("44791117", "GG"), ("447924", "IM"),
    ("447937", "JE"), ("45", "DK"), ("46", "SE"), ("47", "NO"), ("4779", "SJ"), ("48", "PL"), ("49", "DE"),
    ("500", "FK"), ("501", "BZ"), ("502", "GT"), ("503", "SV"), ("504", "HN"), ("505", "NI"), ("506", "CR"),
    ("507", "PA"), ("508", "PM"), ("509", "HT"), ("51", "PE"), ("52", "MX"), ("53", "CU"), ("54", "AR"),
    ("55", "BR"), ("56", "CL"), ("57", "CO"), ("58", "VE"), ("590", "GP"), ("591", "BO"), ("592", "GY"),
    ("593", "EC"), ("594", "GF"), ("595", "PY"), ("596", "MQ"), ("597", "SR"), ("598", "UY"), ("5993", "BQ"),
    ("5994", "BQ"), ("5997", "BQ"), ("5999", "CW"), ("60", "MY"), ("61", "AU"), ("6189162", "CC"), ("6189164", "CX"),
    ("62", "ID"), ("63", "PH"), ("64", "NZ"), ("65", "SG"), ("66", "TH"), ("670", "TL"), ("6721", "AQ"),
    ("6723", "NF"), ("673", "BN"), ("674", "NR"), ("675", "PG"), ("676", "TO"), ("677", "SB"), ("678", "VU"),
    ("679", "FJ"), ("680", "PW"), ("681", "WF"), ("682", "CK"), ("683", "NU"), ("685", "WS"), ("686", "KI"),
    ("687", "NC"), ("688", "TV"), ("689", "PF"), ("690", "TK"), ("691", "FM"), ("692", "MH"), ("73", "RU"),
    ("74", "RU"), ("75", "RU"), ("76", "KZ"), ("77", "KZ"), ("78", "RU"), ("79", "RU"), ("81", "JP"), ("82", "KR"),
    ("84", "VN"), ("850", "KP"), ("852", "HK"), ("853", "MO"), ("855", "KH"), ("856", "LA"), ("86", "CN"),
    ("880", "BD"), ("886", "TW"), ("90", "TR"), ("91", "IN"), ("92", "PK"), ("93", "AF"), ("94", "LK"), ("95", "MM"),
    ("960", "MV"), ("961", "LB"), ("962", "JO"), ("963", "SY"), ("964", "IQ"), ("965", "KW"), ("966", "SA"),
    ("967", "YE"), ("968", "OM"), ("970", "PS"), ("971", "AE"), ("972", "IL"), ("973", "BH"), ("974", "QA"),
    ("975", "BT"), ("976", "MN"), ("977", "NP"), ("98", "IR"), ("992", "TJ"), ("993", "TM"), ("994", "AZ"),
    ("995", "GE"), ("996", "KG"), ("998", "UZ"),
];

#[cfg(test)]
mod tests {
    use bindery_schema::value::Country;

    use super::*;

    fn country(number: &str) -> Option<&'static str> {
        of(number.parse().unwrap())
    }

    #[test]
    fn the_list_is_sorted_and_names_real_countries() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        for (digits, country) in COUNTRIES {
            assert!(E164Prefix::from_digits(digits).is_some() && digits.len() <= LONGEST, "{digits}");
            assert!(country.is_empty() || country.parse::<Country>().is_ok(), "{digits} {country}");
        }
    }

    #[test]
    fn no_country_code_is_a_prefix_of_another() {
        let codes: Vec<&str> = COUNTRIES.iter().map(|(digits, _)| *digits).filter(|digits| digits.len() <= 3).collect();
        for pair in codes.windows(2) {
            assert!(!pair[1].starts_with(pair[0]), "{} lies inside {}", pair[1], pair[0]);
        }
    }

    #[test]
    fn shared_codes_are_told_apart() {
        for (number, expected) in [
            ("+12025550100", Some("US")),
            ("+16135550100", Some("CA")),
            ("+18765550100", Some("JM")),
            ("+17875550100", Some("PR")),
            ("+79161234567", Some("RU")),
            ("+77011234567", Some("KZ")),
            ("+447911123456", Some("GB")),
            ("+441534123456", Some("JE")),
            ("+390669812345", Some("VA")),
            ("+39066812345", Some("IT")),
            ("+59995123456", Some("CW")),
            ("+1", None),
            ("+18005550100", None),
            ("+88216123456", None),
            ("+8001234567", None),
            ("+24762889", Some("AC")),
            ("+29022158", Some("SH")),
            ("+2908999", Some("TA")),
            ("+999", None),
        ] {
            assert_eq!(country(number), expected, "{number}");
        }
    }
}
