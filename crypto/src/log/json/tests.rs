use proptest::prelude::*;

use super::*;

#[test]
fn what_is_written_reads_back_as_the_same_bytes() {
    let line = r#"{"version":1,"time":9007199254740991,"list":["a",2,[],{}],"note":"x\n— y\n"}"#;
    let value = parse(line.as_bytes()).unwrap();
    assert_eq!(value.write(), line);
    let general: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(general["note"], "x\n— y\n");
    assert_eq!(general["time"], 9_007_199_254_740_991_u64);
}

#[test]
fn every_other_spelling_is_refused() {
    for (case, text) in [
        ("empty", ""),
        ("leading space", " {}"),
        ("trailing newline", "{}\n"),
        ("space after colon", r#"{"a": 1}"#),
        ("two documents", "{}{}"),
        ("trailing comma in object", r#"{"a":1,}"#),
        ("trailing comma in array", "[1,]"),
        ("unclosed object", r#"{"a":1"#),
        ("unclosed array", "[1"),
        ("unclosed string", r#""a"#),
        ("repeated key", r#"{"a":1,"a":1}"#),
        ("empty key", r#"{"":1}"#),
        ("upper-case key", r#"{"A":1}"#),
        ("key starting with a digit", r#"{"1a":1}"#),
        ("over-long key", r#"{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":1}"#),
        ("unquoted key", "{a:1}"),
        ("leading zero", "01"),
        ("double zero", "00"),
        ("negative", "-1"),
        ("plus", "+1"),
        ("fraction", "1.0"),
        ("exponent", "1e3"),
        ("2^53", "9007199254740992"),
        ("beyond u64", "99999999999999999999999"),
        ("true", "true"),
        ("null", "null"),
        ("escaped quote", r#""\"""#),
        ("escaped backslash", r#""\\""#),
        ("escaped tab", r#""\t""#),
        ("unicode escape", "\"\\u0041\""),
        ("raw newline", "\"\n\""),
        ("raw control", "\"\u{1}\""),
        ("raw delete", "\"\u{7f}\""),
        ("too deep", "[[[[[[[[[]]]]]]]]]"),
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{case}");
    }
    assert!(parse(b"\"\xff\"").is_err(), "not UTF-8");
    let long = format!("\"{}\"", "a".repeat(MAX_DOCUMENT));
    assert_eq!(parse(long.as_bytes()), Err(JsonError::TooLong(long.len())));
}

#[test]
fn fields_are_taken_in_order_and_none_may_be_left() {
    let fields = |text: &str| parse(text.as_bytes()).unwrap().fields("thing").unwrap();

    let mut in_order = fields(r#"{"a":"x","b":2}"#);
    assert_eq!(in_order.text("a"), Ok("x".to_owned()));
    assert_eq!(in_order.text_if("optional"), Ok(None));
    assert_eq!(in_order.number("b"), Ok(2));
    assert_eq!(in_order.end(), Ok(()));

    let mut swapped = fields(r#"{"b":2,"a":"x"}"#);
    assert_eq!(swapped.text("a"), Err(JsonError::Field("a")));

    let mut of_wrong_type = fields(r#"{"a":1}"#);
    assert_eq!(of_wrong_type.text("a"), Err(JsonError::Field("a")));

    let left = fields(r#"{"a":1}"#);
    assert_eq!(left.end(), Err(JsonError::UnknownField("thing")));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof!["[ !#-\\[\\]-~\n—é]{0,12}".prop_map(Value::String), (0..=MAX_NUMBER).prop_map(Value::Number),];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::btree_map("[a-z][a-z0-9_]{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn writing_and_parsing_are_inverse(value in values()) {
        let text = value.write();
        prop_assert_eq!(parse(text.as_bytes()), Ok(value));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    /// Two different byte strings never mean the same: what parses is what would be written.
    #[test]
    fn parsing_is_injective(value in values(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = value.write().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(parsed) = parse(&bytes) {
            prop_assert_eq!(parsed.write().into_bytes(), bytes);
        }
    }

    #[test]
    fn any_bytes_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(parsed) = parse(&bytes) {
            prop_assert_eq!(parsed.write().into_bytes(), bytes);
        }
    }
}
