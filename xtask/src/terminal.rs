//! A picture of a terminal: text in a window, as an SVG that every browser draws alike.

use std::fmt::Write;

/// How many columns the window has. A longer line is wrapped.
const COLUMNS: usize = 100;
/// Lengths are tenths of a pixel, so that none of them is a fraction: a column, a line, the margin, the bar with the title.
const COLUMN: usize = 84;
const LINE: usize = 200;
const MARGIN: usize = 200;
const BAR: usize = 360;

/// A colour of the text, each easy to read on the dark ground of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Plain,
    Dim,
    Blue,
    Green,
    Yellow,
    Red,
}

impl Colour {
    const ALL: [Self; 6] = [Self::Plain, Self::Dim, Self::Blue, Self::Green, Self::Yellow, Self::Red];

    fn class(self) -> char {
        match self {
            Self::Plain => 'p',
            Self::Dim => 'd',
            Self::Blue => 'b',
            Self::Green => 'g',
            Self::Yellow => 'y',
            Self::Red => 'r',
        }
    }

    fn value(self) -> &'static str {
        match self {
            Self::Plain => "#d1d7e0",
            Self::Dim => "#9198a1",
            Self::Blue => "#79c0ff",
            Self::Green => "#56d364",
            Self::Yellow => "#e3b341",
            Self::Red => "#ff8b85",
        }
    }
}

/// A line of the text: its characters, and how far the rest of it is indented where it is wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) characters: Vec<(char, Colour)>,
    pub(crate) indent: usize,
}

/// Draws a window with this title and these lines. The picture has a ground of its own, so it reads on light and dark pages.
pub(crate) fn draw(title: &str, lines: &[Line]) -> String {
    let rows: Vec<_> = lines.iter().flat_map(wrapped).collect();
    let width = 2 * MARGIN + COLUMNS * COLUMN;
    let height = BAR + rows.len() * LINE + MARGIN;
    let title = escaped(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>\n\
         text {{ font: 140px ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace }}\n",
        width / 10,
        height / 10,
    );
    for colour in Colour::ALL {
        let _ = writeln!(svg, ".{} {{ fill: {} }}", colour.class(), colour.value());
    }
    let _ = writeln!(
        svg,
        "</style>\n<rect x=\"5\" y=\"5\" width=\"{}\" height=\"{}\" rx=\"80\" fill=\"#151b23\" stroke=\"#656c76\" \
         stroke-width=\"10\"/>",
        width - 10,
        height - 10
    );
    for (place, colour) in [Colour::Red, Colour::Yellow, Colour::Green].into_iter().enumerate() {
        let _ = writeln!(
            svg,
            "<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"50\"/>",
            colour.class(),
            MARGIN + 50 + place * 180,
            BAR / 2
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"d\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{title}</text>",
        width / 2,
        BAR / 2 + 50
    );
    for (row, characters) in rows.iter().enumerate() {
        for piece in pieces(characters) {
            let text: String = piece.text.iter().collect();
            // Fonts differ in width: the length keeps the columns of a table below each other.
            let _ = writeln!(
                svg,
                "<text class=\"{}\" x=\"{}\" y=\"{}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>",
                piece.colour.class(),
                MARGIN + piece.column * COLUMN,
                BAR + row * LINE + 140,
                piece.text.len() * COLUMN,
                escaped(&text)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The rows of a line: it breaks at a space, or within a word that is longer than a row.
fn wrapped(line: &Line) -> Vec<Vec<(char, Colour)>> {
    let indent = vec![(' ', Colour::Plain); line.indent.min(COLUMNS / 2)];
    let mut rows = Vec::new();
    let mut row: Vec<(char, Colour)> = Vec::new();
    let mut rest = line.characters.as_slice();
    while row.len() + rest.len() > COLUMNS {
        let room = COLUMNS - row.len();
        let space = rest[..=room].iter().rposition(|(character, _)| *character == ' ');
        let (end, next) = match space {
            Some(space) if space > 0 => (space, space + 1),
            _ => (room, room),
        };
        row.extend_from_slice(&rest[..end]);
        rows.push(std::mem::replace(&mut row, indent.clone()));
        rest = &rest[next..];
    }
    row.extend_from_slice(rest);
    rows.push(row);
    rows
}

/// Characters of one colour, side by side.
struct Piece {
    column: usize,
    colour: Colour,
    text: Vec<char>,
}

/// A row in pieces, which end at two spaces and where the colour changes, and neither begin nor end with a space.
fn pieces(row: &[(char, Colour)]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut last = None;
    for (column, (character, colour)) in row.iter().copied().enumerate() {
        if character == ' ' {
            continue;
        }
        match pieces.last_mut() {
            Some(piece) if piece.colour == colour && last.is_some_and(|last| column - last <= 2) => {
                piece
                    .text
                    .extend(std::iter::repeat_n(' ', column - last.unwrap_or(column) - 1));
                piece.text.push(character);
            }
            _ => pieces.push(Piece {
                column,
                colour,
                text: vec![character],
            }),
        }
        last = Some(column);
    }
    pieces
}

/// The text as XML has it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, indent: usize) -> Line {
        let characters = text.chars().map(|character| (character, Colour::Plain)).collect();
        Line { characters, indent }
    }

    fn rows(line: &Line) -> Vec<String> {
        let text = |row: Vec<(char, Colour)>| row.into_iter().map(|(character, _)| character).collect();
        wrapped(line).into_iter().map(text).collect()
    }

    #[test]
    fn a_line_that_fits_stays_and_a_longer_one_breaks_at_a_space_and_is_indented() {
        let fits = "a".repeat(COLUMNS);
        assert_eq!(rows(&line(&fits, 2)), [fits.as_str()]);
        assert_eq!(rows(&line("", 2)), [""]);
        let (first, second) = ("a".repeat(COLUMNS - 3), "bbbb");
        assert_eq!(
            rows(&line(&format!("{first} {second}"), 2)),
            [first, format!("  {second}")]
        );
    }

    #[test]
    fn a_word_longer_than_a_row_breaks_where_the_row_ends() {
        let word = "a".repeat(COLUMNS + 5);
        assert_eq!(rows(&line(&word, 1)), ["a".repeat(COLUMNS), " aaaaa".to_owned()]);
    }

    #[test]
    fn no_row_is_longer_than_the_window_and_no_word_is_lost() {
        let text = "one two-and-a-half three ".repeat(30);
        let rows = rows(&line(text.trim(), 7));
        assert!(rows.len() > 5 && rows.iter().all(|row| row.len() <= COLUMNS));
        let words: Vec<&str> = rows.iter().flat_map(|row| row.split_whitespace()).collect();
        assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn a_picture_has_each_piece_at_its_column_and_is_whole_xml() {
        let mut row = line("a <b>  & c", 0);
        row.characters[9].1 = Colour::Red;
        let svg = draw("x < y", &[row]);
        for expected in [
            "<title>x &lt; y</title>",
            "<text class=\"p\" x=\"200\" y=\"500\" textLength=\"420\" lengthAdjust=\"spacingAndGlyphs\">a &lt;b&gt;</text>",
            "<text class=\"p\" x=\"788\" y=\"500\" textLength=\"84\" lengthAdjust=\"spacingAndGlyphs\">&amp;</text>",
            "<text class=\"r\" x=\"956\" y=\"500\" textLength=\"84\" lengthAdjust=\"spacingAndGlyphs\">c</text>",
        ] {
            assert!(svg.contains(expected), "no {expected} in:\n{svg}");
        }
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
