//! Tables, goals, and the places in the documents where they belong.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::sample::Result;
use crate::statistics::Spread;

/// A table in Markdown.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<String>,
    lines: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table with this head.
    #[must_use]
    pub fn new(head: Vec<String>) -> Self {
        Self { head, lines: Vec::new() }
    }

    /// Adds a line.
    pub fn push(&mut self, line: Vec<String>) {
        self.lines.push(line);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(self.head.len()))?;
        for line in &self.lines {
            writeln!(f, "| {} |", line.join(" | "))?;
        }
        Ok(())
    }
}

/// A goal, and the measured value.
#[derive(Clone, Debug)]
pub struct Goal {
    what: String,
    bound: Bound,
    measured: Option<Spread>,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    /// Makes a goal that the median is no higher.
    #[must_use]
    pub fn at_most(what: String, bound: f64, measured: Option<Spread>) -> Self {
        Self { what, bound: Bound::AtMost(bound), measured }
    }

    /// Makes a goal that the median is no lower.
    #[must_use]
    pub fn at_least(what: String, bound: f64, measured: Option<Spread>) -> Self {
        Self { what, bound: Bound::AtLeast(bound), measured }
    }

    fn verdict(&self) -> &'static str {
        match (self.measured, self.bound) {
            (None, _) => "not measured",
            (Some(Spread { median, .. }), Bound::AtMost(bound)) if median <= bound => "met",
            (Some(Spread { median, .. }), Bound::AtLeast(bound)) if median >= bound => "met",
            (Some(_), _) => "**missed**",
        }
    }

    /// Makes the table of all goals.
    #[must_use]
    pub fn table(goals: &[Self]) -> Table {
        let mut table = Table::new(["what", "goal", "measured", ""].map(str::to_owned).to_vec());
        for goal in goals {
            let bound = match goal.bound {
                Bound::AtMost(bound) => format!("≤ {bound}"),
                Bound::AtLeast(bound) => format!("≥ {bound}"),
            };
            let measured = goal.measured.map_or_else(|| "–".to_owned(), |measured| measured.to_string());
            table.push(vec![goal.what.clone(), bound, measured, goal.verdict().to_owned()]);
        }
        table
    }
}

/// Puts a text between the markers `<!-- name -->` and `<!-- /name -->` of a document.
///
/// # Errors
///
/// If the document cannot be read or written, or has no such markers.
pub fn replace(document: &Path, name: &str, text: &str) -> Result<()> {
    let old = fs::read_to_string(document)?;
    let new = between(&old, name, text).ok_or_else(|| format!("{}: no markers `{name}`", document.display()))?;
    if new != old {
        fs::write(document, new)?;
    }
    Ok(())
}

fn between(document: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (head, rest) = document.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}{text}{end}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn only_what_stands_between_the_markers_changes() {
        let document = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        assert_eq!(between(document, "x", "new\n").as_deref(), Some("a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"));
        assert_eq!(between(document, "y", "new\n"), None);
    }
}
