//! A table of text: a line for each row, in columns of equal width.

/// The rows, the first of which names the columns, one a line.
#[must_use]
pub fn lines<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let padded = |row: &[String; COLUMNS]| {
        let cells = row.iter().enumerate();
        let cells: Vec<String> = cells
            .map(|(column, cell)| format!("{cell:<0$}", width(column).unwrap_or_default()))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(padded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_as_wide_as_its_widest_cell_and_no_line_ends_with_a_space() {
        let rows = [["count", "what"], ["7", "services skipped"], ["12", ""]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(lines(&rows), ["count  what", "7      services skipped", "12"]);
    }
}
