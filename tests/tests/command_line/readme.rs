//! What the README says to type.

use std::path::{Path, PathBuf};

/// Where the repository is.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A command as it stands in the README, with what is remarked behind it.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    /// Lines that end in a backslash with the next one, remark and all: a shell takes them as they are.
    pub(crate) text: String,
    pub(crate) remark: Option<String>,
}

impl Typed {
    fn new(text: String) -> Self {
        let remark = text.split_once(" # ").map(|(_, remark)| remark.trim().to_owned());
        Self { text, remark }
    }

    pub(crate) fn begins_with(&self, words: &str) -> bool {
        self.text.starts_with(words)
    }
}

/// A chapter of the README, up to the next heading of any level.
pub(crate) fn chapter(heading: &str) -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let lines = readme.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('#'));
    let chapter: Vec<_> = lines.collect();
    assert!(!chapter.is_empty(), "the README has no chapter {heading}");
    chapter.join("\n")
}

/// The commands of a chapter: its lines that are indented by four, in their order.
pub(crate) fn commands(chapter: &str) -> Vec<Typed> {
    let mut commands = Vec::new();
    let mut open: Option<String> = None;
    for line in chapter.lines().filter_map(|line| line.strip_prefix("    ")) {
        let text = open.take().map_or_else(|| line.to_owned(), |before| format!("{before}\n{line}"));
        if text.ends_with('\\') {
            open = Some(text);
        } else {
            commands.push(Typed::new(text));
        }
    }
    assert!(open.is_none(), "a command has no end: {open:?}");
    commands
}

/// The commands that stand in the text, between backquotes, and begin so.
pub(crate) fn commands_in_text(chapter: &str, words: &str) -> Vec<String> {
    let marked = chapter.split('`').skip(1).step_by(2);
    marked.filter(|text| text.starts_with(words)).map(|text| text.replace('\n', " ")).collect()
}
