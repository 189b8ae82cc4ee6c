//! Canonical documents: a subset of JSON (RFC 8259) in which every value has exactly one spelling.
//!
//! Entries and receipts are hashed, signed and compared as bytes, and must still be readable by any
//! JSON parser decades from now. A general parser accepts many spellings of one value (white space,
//! escapes, `1e3`, repeated keys), so this module has its own: whatever it accepts, it would have
//! written itself, byte for byte. The grammar:
//!
//! * objects, arrays, strings and numbers; no `true`, `false`, `null`, no white space;
//! * a number is a decimal integer without sign or leading zero, at most 2^53 - 1, so that readers
//!   whose numbers are IEEE 754 doubles agree;
//! * a string is UTF-8 without control characters, `"` and `\`; the one escape is `\n` for U+000A;
//! * a key is 1 to 32 of `a-z 0-9 _`, starts with a letter and occurs once in its object; the order of
//!   keys is part of the document;
//! * at most [`MAX_DOCUMENT`] bytes and [`MAX_DEPTH`] levels.

use std::iter::Peekable;
use std::vec::IntoIter;

/// The longest document that is read, in bytes.
pub const MAX_DOCUMENT: usize = 64 * 1024;

/// The deepest nesting that is read: an object in an object counts as two.
pub const MAX_DEPTH: usize = 8;

/// The largest number: 2^53 - 1.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

const MAX_KEY: usize = 32;

/// A parsed value; objects keep the order of their fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    String(String),
    /// An integer of at most [`MAX_NUMBER`].
    Number(u64),
    /// An array.
    List(Vec<Value>),
    /// An object.
    Object(Vec<(String, Value)>),
}

/// Why bytes are not a canonical document, or not the document that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The bytes leave the grammar.
    #[error("not canonical JSON at byte {at}: expected {expected}")]
    Syntax {
        /// Offset of the first byte that does not fit.
        at: usize,
        /// What would have fitted.
        expected: &'static str,
    },
    /// The document is longer than [`MAX_DOCUMENT`].
    #[error("document of {0} bytes is longer than is read")]
    TooLong(usize),
    /// A field is missing, out of order, or not of its type.
    #[error("field `{0}` is missing, out of order or of the wrong type")]
    Field(&'static str),
    /// An object has a field which its kind does not have.
    #[error("unknown field in `{0}`")]
    UnknownField(&'static str),
}

/// Reads one document; the whole input must be used.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(JsonError::TooLong(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| JsonError::Syntax { at: e.valid_up_to(), expected: "UTF-8" })?;
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    if reader.at == text.len() { Ok(value) } else { Err(reader.expected("the end of the document")) }
}

impl Value {
    /// Writes the value's one spelling.
    ///
    /// Every value that [`parse`] returns is written as it was read. A value built by hand may hold a
    /// text or number outside the grammar; then what is written is refused by [`parse`].
    pub fn write(&self) -> String {
        let mut out = String::new();
        self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut String) {
        match self {
            Self::String(text) => write_text(text, out),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write_to(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_text(key, out);
                    out.push(':');
                    value.write_to(out);
                }
                out.push('}');
            }
        }
    }

    /// A list of texts.
    pub(crate) fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(|item| Self::String(item.to_string())).collect())
    }

    /// The value as an object that is about to be read field by field; `name` is for errors.
    pub(crate) fn fields(self, name: &'static str) -> Result<Fields, JsonError> {
        match self {
            Self::Object(fields) => Ok(Fields { name, rest: fields.into_iter().peekable() }),
            Self::String(_) | Self::Number(_) | Self::List(_) => Err(JsonError::Field(name)),
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Builds an object; the counterpart of [`Fields`].
#[derive(Default)]
pub(crate) struct Builder(Vec<(String, Value)>);

impl Builder {
    pub(crate) fn text(self, name: &str, value: impl ToString) -> Self {
        self.value(name, Value::String(value.to_string()))
    }

    pub(crate) fn text_if<T: ToString>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(crate) fn number(self, name: &str, value: u64) -> Self {
        self.value(name, Value::Number(value))
    }

    pub(crate) fn number_if(self, name: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self,
        }
    }

    pub(crate) fn value(mut self, name: &str, value: Value) -> Self {
        self.0.push((name.to_owned(), value));
        self
    }

    pub(crate) fn build(self) -> Value {
        Value::Object(self.0)
    }
}

/// Takes the fields of an object in their order.
pub(crate) struct Fields {
    name: &'static str,
    rest: Peekable<IntoIter<(String, Value)>>,
}

impl Fields {
    pub(crate) fn value_if(&mut self, name: &str) -> Option<Value> {
        self.rest.next_if(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn value(&mut self, name: &'static str) -> Result<Value, JsonError> {
        self.value_if(name).ok_or(JsonError::Field(name))
    }

    pub(crate) fn text_if(&mut self, name: &'static str) -> Result<Option<String>, JsonError> {
        match self.value_if(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(_) | Value::List(_) | Value::Object(_)) => Err(JsonError::Field(name)),
        }
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<String, JsonError> {
        self.text_if(name)?.ok_or(JsonError::Field(name))
    }

    pub(crate) fn number_if(&mut self, name: &'static str) -> Result<Option<u64>, JsonError> {
        match self.value_if(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(Value::String(_) | Value::List(_) | Value::Object(_)) => Err(JsonError::Field(name)),
        }
    }

    pub(crate) fn number(&mut self, name: &'static str) -> Result<u64, JsonError> {
        self.number_if(name)?.ok_or(JsonError::Field(name))
    }

    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, JsonError> {
        let Value::List(items) = self.value(name)? else { return Err(JsonError::Field(name)) };
        let text = |item| match item {
            Value::String(text) => Ok(text),
            Value::Number(_) | Value::List(_) | Value::Object(_) => Err(JsonError::Field(name)),
        };
        items.into_iter().map(text).collect()
    }

    /// Whatever is left, for objects whose kind is not known.
    pub(crate) fn remainder(self) -> Vec<(String, Value)> {
        self.rest.collect()
    }

    /// Refuses fields that nobody took.
    pub(crate) fn end(mut self) -> Result<(), JsonError> {
        match self.rest.next() {
            None => Ok(()),
            Some(_) => Err(JsonError::UnknownField(self.name)),
        }
    }
}

/// Recursive descent over the grammar above.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        if depth >= MAX_DEPTH {
            return Err(self.expected("fewer levels"));
        }
        match self.peek() {
            Some('"') => self.string().map(Value::String),
            Some('0'..='9') => self.number().map(Value::Number),
            Some('[') => self.list(depth),
            Some('{') => self.object(depth),
            _ => Err(self.expected("a value")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.take('[', "an array")?;
        let mut items = Vec::new();
        if self.skip(']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.skip(']') {
                return Ok(Value::List(items));
            }
            self.take(',', "`,` or `]`")?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.take('{', "an object")?;
        let mut fields: Vec<(String, Value)> = Vec::new();
        if self.skip('}') {
            return Ok(Value::Object(fields));
        }
        loop {
            let start = self.at;
            let key = self.string()?;
            if !is_key(&key) || fields.iter().any(|(known, _)| *known == key) {
                return Err(JsonError::Syntax { at: start, expected: "a new lower-case key" });
            }
            self.take(':', "`:`")?;
            fields.push((key, self.value(depth + 1)?));
            if self.skip('}') {
                return Ok(Value::Object(fields));
            }
            self.take(',', "`,` or `}`")?;
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.take('"', "a string")?;
        let mut out = String::new();
        loop {
            match self.peek() {
                Some('"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('\\') => {
                    self.at += 1;
                    self.take('n', "`n`, the only escape")?;
                    out.push('\n');
                }
                Some(c) if !c.is_control() => {
                    self.at += c.len_utf8();
                    out.push(c);
                }
                Some(_) | None => return Err(self.expected("a printable character")),
            }
        }
    }

    fn number(&mut self) -> Result<u64, JsonError> {
        let digits: &str = &self.text[self.at..];
        let digits = &digits[..digits.bytes().take_while(u8::is_ascii_digit).count()];
        let plain = digits == "0" || !digits.starts_with('0');
        match digits.parse::<u64>() {
            Ok(number) if plain && number <= MAX_NUMBER => {
                self.at += digits.len();
                Ok(number)
            }
            Ok(_) | Err(_) => Err(self.expected("an integer below 2^53 without leading zeros")),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn take(&mut self, c: char, expected: &'static str) -> Result<(), JsonError> {
        if self.skip(c) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::Syntax { at: self.at, expected }
    }
}

fn is_key(key: &str) -> bool {
    key.len() <= MAX_KEY
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests;
