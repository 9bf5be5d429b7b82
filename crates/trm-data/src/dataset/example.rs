/// One puzzle as training sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// `[S]` tokens of the question.
    pub question: Vec<u8>,
    /// `[S]` tokens of the answer.
    pub answer: Vec<u8>,
    /// Puzzle identifier.
    pub puzzle: u32,
}
