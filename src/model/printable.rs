//! Text that a stranger wrote, on a person's terminal.

use std::borrow::Cow;

/// What stands where something was that a terminal would have obeyed.
pub const INSTEAD: char = '\u{fffd}';

/// The text without anything that a terminal obeys instead of showing it: a peer's words, an experiment's question or a
/// bundle's names could move the cursor, hide what stands beside them, or turn the direction in which it is read. Line
/// ends and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(is_obeyed) { text.replace(is_obeyed, "\u{fffd}").into() } else { text.into() }
}

/// Control characters, and those that turn the direction of what follows (Unicode's bidirectional controls).
fn is_obeyed(letter: char) -> bool {
    let turns =
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (letter.is_control() && !matches!(letter, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_as_a_sign_and_all_else_as_it_is() {
        assert_eq!(printable("a\tb\nCaña 20 µs · ≥"), "a\tb\nCaña 20 µs · ≥");
        assert_eq!(printable("\u{1b}[2Jgone\u{7}\r\u{9b}8m"), "\u{fffd}[2Jgone\u{fffd}\u{fffd}\u{fffd}8m");
        assert_eq!(printable("abc\u{202e}gnp.exe"), "abc\u{fffd}gnp.exe");
    }
}
