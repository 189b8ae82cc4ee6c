//! Shapes of personal identifiers that an applicant id must not have (O5).

/// National identifiers that mix letters and digits, as shapes: `L` a letter, `D` a digit, `X` either.
const NATIONAL: &[(&str, &str)] = &[
    ("LLDDDDDDL", "a UK national insurance number"),
    ("DDDDDDDDL", "a Spanish DNI"),
    ("LDDDDDDDL", "a Spanish NIE or a Singapore NRIC"),
    ("LLLLLLDDLDDLDDDL", "an Italian codice fiscale"),
    ("LLLLDDDDDDLLLLLLXD", "a Mexican CURP"),
    ("LLLLLDDDDL", "an Indian PAN"),
    ("LLLDDDDDDL", "a German or ICAO document number"),
    ("LDDDDDDDD", "a passport number"),
    ("LLDDDDDDD", "a passport number"),
];

/// Says what personal identifier the text looks like, if any.
pub(crate) fn shape_of(text: &str) -> Option<&'static str> {
    if text.contains('@') {
        return Some("an e-mail address");
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    // A UUID is opaque even where chance made it all digits.
    let only_digits = text.bytes().all(|b| b.is_ascii_digit() || b"+-. ()_~/".contains(&b));
    if only_digits && digits >= 7 && !is_uuid(text) {
        return Some("a phone or national id number");
    }
    let bare: Vec<u8> = text.bytes().filter(|b| b.is_ascii_alphanumeric()).collect();
    NATIONAL.iter().find(|(shape, _)| fits(&bare, shape.as_bytes())).map(|&(_, what)| what)
}

fn fits(bare: &[u8], shape: &[u8]) -> bool {
    bare.len() == shape.len()
        && bare.iter().zip(shape).all(|(b, s)| match s {
            b'L' => b.is_ascii_alphabetic(),
            b'D' => b.is_ascii_digit(),
            _ => true,
        })
}

fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::shape_of;

    #[test]
    fn personal_identifiers_are_recognised() {
        for text in [
            "ann@example.org",
            "+44 20 7946 0958",
            "4915112345678",
            "123-45-6789",
            "850101300123",
            "QQ123456C",
            "12345678Z",
            "X1234567L",
            "RSSMRA85T10A562S",
            "ABCDE1234F",
            "555.123.4567",
        ] {
            assert!(shape_of(text).is_some(), "{text}");
        }
    }

    #[test]
    fn opaque_ids_pass() {
        for text in [
            "app-000123",
            "01J9ZV7Q4M8E",
            "p42",
            "6f1c3f0e-6f7a-4b1e-9a51-1d2e3f405162",
            "subject.000017",
            "12345",
            "user_9f8e7d6c5b4a",
            "00000000-0000-4000-8000-000000000000",
        ] {
            assert_eq!(shape_of(text), None, "{text}");
        }
    }
}
