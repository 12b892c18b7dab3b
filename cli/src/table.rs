//! Columns for people.

use crate::text;

/// Widest column, terminal columns. The last column is never cut.
const MAX_COLUMN: usize = 40;

/// Rows of cells under headings, as lines. Cells are fitted to their column; cells in `right` columns lean right.
pub(crate) fn render<const N: usize>(head: [&str; N], right: [bool; N], rows: &[[String; N]]) -> Vec<String> {
    let mut widths = head.map(text::width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(text::width(cell)).min(MAX_COLUMN);
        }
    }
    let mut lines = vec![line(&head.map(str::to_owned), &widths, right)];
    lines.extend(rows.iter().map(|row| line(row, &widths, right)));
    lines
}

fn line<const N: usize>(cells: &[String; N], widths: &[usize; N], right: [bool; N]) -> String {
    let mut out = String::new();
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push_str("  ");
        }
        if index + 1 == N {
            out.push_str(cell);
            break;
        }
        let cell = text::fit(cell, widths[index]);
        let gap = " ".repeat(widths[index].saturating_sub(text::width(&cell)));
        let (before, after) = if right[index] { (gap.as_str(), "") } else { ("", gap.as_str()) };
        out.push_str(before);
        out.push_str(&cell);
        out.push_str(after);
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_also_for_wide_characters() {
        let rows = [["alice", "1.0 GiB", "x"], ["日本語", "7 B", "y"]].map(|row| row.map(str::to_owned));
        let lines = render(["PEER", "SIZE", "ID"], [false, true, false], &rows);
        assert_eq!(lines, ["PEER       SIZE  ID", "alice   1.0 GiB  x", "日本語      7 B  y"]);
    }

    #[test]
    fn an_overlong_cell_is_cut_but_never_the_last() {
        let rows = [["a".repeat(99), "b".repeat(99)]];
        let lines = render(["A", "B"], [false, false], &rows);
        assert_eq!(lines[1], format!("{}…  {}", "a".repeat(MAX_COLUMN - 1), "b".repeat(99)));
    }
}
