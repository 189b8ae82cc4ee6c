//! Results on standard output: for people, or one JSON object a line.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::exit::{Failure, printable};

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    form: Form,
    paint: Paint,
}

/// What a result looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    /// For tests of whole commands.
    #[cfg(test)]
    Nothing,
}

impl Output {
    /// Colours only for people at a terminal who did not say no (<https://no-color.org>).
    pub(super) fn new(json: bool) -> Self {
        let wanted = !json && io::stdout().is_terminal() && colours_allowed();
        Self { form: if json { Form::Json } else { Form::Text }, paint: Paint(wanted) }
    }

    /// Says nothing.
    #[cfg(test)]
    pub(super) fn silent() -> Self {
        Self { form: Form::Nothing, paint: Paint::PLAIN }
    }

    /// Whether results are JSON.
    pub(super) fn is_json(self) -> bool {
        self.form == Form::Json
    }

    /// How to write text.
    pub(super) fn paint(self) -> Paint {
        self.paint
    }

    /// A result in both forms; the one that was asked for is written.
    pub(super) fn result(self, json: &Value, text: &Card) -> Result<(), Failure> {
        self.json(json)?;
        self.text(&text.render(self.paint))
    }

    /// A result that takes several cards to show, and one JSON object.
    pub(super) fn results(self, json: &Value, cards: &[Card]) -> Result<(), Failure> {
        self.json(json)?;
        cards.iter().try_for_each(|card| self.text(&card.render(self.paint)))
    }

    /// A line for people; left out with `--json`.
    pub(super) fn text(self, line: &str) -> Result<(), Failure> {
        if self.form == Form::Text { self.line(line) } else { Ok(()) }
    }

    /// A JSON object; left out without `--json`.
    pub(super) fn json(self, value: &Value) -> Result<(), Failure> {
        if self.is_json() { self.line(&value.to_string()) } else { Ok(()) }
    }

    /// A JSON object, whatever form was asked for.
    pub(super) fn line_of_json(self, value: &Value) -> Result<(), Failure> {
        self.line(&value.to_string())
    }

    /// A failure, on standard error in the form that was asked for.
    pub(super) fn failure(self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        let text = if self.is_json() { failure.json().to_string() } else { format!("lethe: {failure}") };
        // Nothing is left to be told to if standard error is gone.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    fn line(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::silent()),
            Err(error) => Err(Failure::failed(format!("cannot write the result: {error}"))),
        }
    }
}

fn colours_allowed() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// A remark on standard error.
pub(super) fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "lethe: {}", printable(text));
}

/// A bar of so many steps.
pub(super) fn progress_bar(out: Output, steps: u64) -> ProgressBar {
    // Drawn on standard error, and only if that is a terminal.
    let target = match out.is_json() {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len}, {eta} to go");
    let bar = ProgressBar::with_draw_target(Some(steps), target);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// ANSI colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    /// Never colours.
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self(false);

    pub(super) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A result for people: a heading and named values below it, aligned.
#[derive(Debug, Default)]
pub(super) struct Card {
    title: String,
    rows: Vec<(String, String)>,
}

impl Card {
    /// A card of this heading.
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    /// Adds a named value.
    #[must_use]
    pub(super) fn row(mut self, name: &str, value: impl ToString) -> Self {
        self.rows.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a named value if there is one.
    #[must_use]
    pub(super) fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.row(name, value),
            None => self,
        }
    }

    fn render(&self, paint: Paint) -> String {
        let mut text = paint.bold(&printable(&self.title));
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &self.rows {
            let name = paint.dim(&format!("{name:width$}"));
            text += &format!("\n  {name}  {}", printable(value));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_aligned_and_plain_without_colours() {
        let card = Card::new("tenants/acme").row("a", 1).maybe("none", None::<u32>).row("longer", "x\u{7}y");
        assert_eq!(card.render(Paint::PLAIN), "tenants/acme\n  a       1\n  longer  x\u{fffd}y");
    }

    #[test]
    fn colours_are_ansi_and_closed() {
        assert_eq!(Paint(true).bold("x"), "\u{1b}[1mx\u{1b}[0m");
        assert_eq!(Paint(false).bold("x"), "x");
    }
}
