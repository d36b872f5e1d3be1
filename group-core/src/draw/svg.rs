//! What the pictures share: text in XML, the size of text, the marks of states.

use std::fmt;
use std::fmt::Write as _;

use crate::record::state::State;

/// The colours and lines of the pictures, for light and dark. A page that shows them has it once.
pub(crate) const STYLE: &str = include_str!("style.css");

/// The width of one letter of the pictures' font.
const LETTER: f64 = 7.25;

/// Text as it stands in XML and HTML, also within quotes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                '\n' | '\t' => f.write_char(letter),
                // XML has no way to write it.
                letter if letter.is_control() || matches!(letter, '\u{FFFE}' | '\u{FFFF}') => f.write_char('\u{FFFD}'),
                letter => f.write_char(letter),
            }?;
        }
        Ok(())
    }
}

/// A whole picture, as a file of its own.
pub(super) fn file(width: f64, height: f64, what: &str, body: &str) -> String {
    picture(
        width,
        height,
        what,
        &format!("<style>{STYLE}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>{body}"),
    )
}

/// A picture that stands in a page, which has the style.
pub(super) fn picture(width: f64, height: f64, what: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" role=\"img\" width=\"{width:.0}\" \
         height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\"><title>{}</title>{body}</svg>",
        Escaped(what)
    )
}

/// A text at a place, of these classes.
pub(super) fn label(x: f64, y: f64, class: &str, text: &str) -> String {
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", Escaped(text))
}

pub(super) fn width_of(text: &str) -> f64 {
    float(columns(text)) * LETTER
}

#[expect(clippy::cast_precision_loss, reason = "no picture has as many rows")]
pub(super) fn float(number: usize) -> f64 {
    number as f64
}

/// The columns that a text takes up. East Asian letters and emoji are twice as wide.
fn columns(text: &str) -> usize {
    text.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}

fn is_wide(letter: char) -> bool {
    matches!(letter,
        '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}' | '\u{1F300}'..='\u{1FAFF}'
        | '\u{20000}'..='\u{3FFFD}')
}

/// A name, shortened in the middle if it is longer than this.
pub(super) fn fitted(name: &str, most: usize) -> String {
    if columns(name) <= most {
        return name.to_owned();
    }
    let (mut head, mut tail) = (String::new(), Vec::new());
    let half = most.saturating_sub(1) / 2;
    head.extend(name.chars().scan(0, |taken, letter| within(taken, letter, half)));
    tail.extend(name.chars().rev().scan(0, |taken, letter| within(taken, letter, half)));
    head.push('…');
    head.extend(tail.into_iter().rev());
    head
}

/// The letter, if it still fits.
fn within(taken: &mut usize, letter: char, most: usize) -> Option<char> {
    *taken += columns(letter.encode_utf8(&mut [0; 4]));
    (*taken <= most).then_some(letter)
}

/// The name of a state's class in the style.
pub(crate) fn class(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Building => "building",
        State::Starting => "starting",
        State::Ready => "ready",
        State::Restarting => "restarting",
        State::Completed => "completed",
        State::Failed => "failed",
        State::Stopping => "stopping",
        State::Stopped => "stopped",
        State::Gone => "gone",
    }
}

/// The mark of a state, 10 units wide and high, so that no state is told by its colour alone.
pub(crate) fn mark(state: State) -> &'static str {
    match state {
        State::Waiting => r#"<circle class="hollow" cx="5" cy="5" r="3.5"/>"#,
        State::Building => {
            r#"<circle class="hollow" cx="5" cy="5" r="3.5"/><circle class="solid" cx="5" cy="5" r="1.5"/>"#
        }
        State::Starting => {
            r#"<circle class="hollow" cx="5" cy="5" r="3.5"/><path class="solid" d="M5 1.5a3.5 3.5 0 0 1 0 7z"/>"#
        }
        State::Ready => r#"<circle class="solid" cx="5" cy="5" r="4"/>"#,
        State::Restarting => {
            r#"<path class="hollow" d="M8.5 5a3.5 3.5 0 1 1-1.2-2.6"/><path class="solid" d="M9.6 .4v3.6h-3.6z"/>"#
        }
        State::Completed => r#"<path class="hollow" d="M1 5.5l2.8 2.8L9 2"/>"#,
        State::Failed => r#"<path class="hollow" d="M1.5 1.5l7 7m0-7l-7 7"/>"#,
        State::Stopping => r#"<path class="solid" d="M.8 2h8.4L5 9z"/>"#,
        State::Stopped => r#"<path class="hollow" d="M2 2h6v6H2z"/>"#,
        State::Gone => r#"<path class="hollow" d="M1.5 5h7"/>"#,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        let text = Escaped("<a href=\"x\" b='y'>&\u{7}\u{FFFE}").to_string();
        assert_eq!(text, "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn a_long_name_keeps_both_of_its_ends() {
        assert_eq!(fitted("orders", 9), "orders");
        assert_eq!(fitted("orders-of-germany", 9), "orde…many");
        assert_eq!(fitted("注文サービス", 7), "注…ス");
    }
}
