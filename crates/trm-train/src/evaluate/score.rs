/// How right a batch of answers is, puzzle by puzzle.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Share of labelled cells that are right; 0 without labels.
    pub cells: Vec<f32>,
    /// Whether every labelled cell is right; not without labels.
    pub exact: Vec<bool>,
    /// Whether there is any label.
    pub counted: Vec<bool>,
}

impl Score {
    /// Compares answers with labels, `[B · S]` each; cells labelled `ignore` do not count.
    pub fn new(answers: &[u8], labels: &[u8], batch: usize, ignore: u8) -> Score {
        let mut score = Score { cells: Vec::new(), exact: Vec::new(), counted: Vec::new() };
        let cells = labels.len() / batch.max(1);
        for (answers, labels) in answers.chunks_exact(cells).zip(labels.chunks_exact(cells)) {
            let labelled = answers.iter().zip(labels).filter(|(_, label)| **label != ignore);
            let count = labelled.clone().count();
            let right = labelled.filter(|(answer, label)| answer == label).count();
            score.cells.push(right as f32 / count.max(1) as f32);
            score.exact.push(count > 0 && right == count);
            score.counted.push(count > 0);
        }
        score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_cells_do_not_count() {
        let score = Score::new(&[1, 2, 3, 4, 5, 6], &[1, 9, 0, 4, 0, 0], 2, 0);
        assert_eq!(score.cells, [0.5, 1.0]);
        assert_eq!(score.exact, [false, true]);
        let none = Score::new(&[1], &[0], 1, 0);
        assert_eq!((none.counted[0], none.exact[0], none.cells[0]), (false, false, 0.0));
    }
}
