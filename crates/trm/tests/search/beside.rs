//! Several puzzles in one search: who comes, who leaves, and on which thread.

use super::*;

/// Approves nothing, and remembers every draft with the puzzle that it is of.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<[Vec<u8>; 2]>>>);

impl Witness {
    /// The drafts of all chains of a puzzle, without their order.
    fn drafts(&self, question: &[u8]) -> Vec<Vec<u8>> {
        let judged = self.0.lock().unwrap();
        let of_puzzle = judged.iter().filter(|[asked, _]| asked == question);
        let mut drafts: Vec<Vec<u8>> = of_puzzle.map(|[_, draft]| draft.clone()).collect();
        drafts.sort();
        drafts
    }
}

impl Referee for Witness {
    fn judge(&mut self, question: &[u8], draft: &[u8]) -> Result<Judgement, Error> {
        self.0.lock().unwrap().push([question.to_vec(), draft.to_vec()]);
        Ok(Judgement::Wrong)
    }

    fn augment_question(&mut self, question: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        question.reverse();
        Some(Box::new(|answer| answer.reverse()))
    }

    fn is_open(&self, token: u8) -> bool {
        token == 1
    }
}

#[test]
fn chains_are_the_same_whoever_is_searched_beside_them_joins_or_leaves() {
    let (tokens, puzzles) = (tokens(4), [0]);
    let question =
        |puzzle: usize| Question { tokens: &tokens[puzzle * CELLS..][..CELLS], puzzles: &puzzles };
    let short = Search { patience: 2, ..SEARCH };
    let searches =
        [SEARCH, Search { steps: 5, seed: 8, ..short }, short, Search { rollouts: 2, ..short }];
    let alone: Vec<(News, Vec<Vec<u8>>)> = (0..4)
        .map(|puzzle| {
            let (witness, mut session) = (Witness::default(), None);
            let session = session.insert(solver(7).search(Box::new(witness.clone())));
            assert_eq!(session.push(question(puzzle), searches[puzzle]).unwrap(), 0..1);
            let last = finish(session, usize::MAX).pop().unwrap();
            (last, witness.drafts(question(puzzle).tokens))
        })
        .collect();
    for batch in [1, 3, 7] {
        let witness = Witness::default();
        let mut session = solver(batch).search(Box::new(witness.clone()));
        let mut told = Vec::new();
        for puzzle in 0..4 {
            assert_eq!(
                session.push(question(puzzle), searches[puzzle]).unwrap(),
                puzzle..puzzle + 1
            );
            session.step().unwrap();
            session.step().unwrap();
            told.extend(std::iter::from_fn(|| session.take()));
        }
        assert!(session.withdraw(2) && !session.withdraw(2) && session.len() <= 3);
        told.extend(finish(&mut session, usize::MAX));
        let found = found(told);
        assert_eq!(found.iter().map(|f| f.puzzle).collect::<Vec<_>>(), [0, 1, 3], "batch {batch}");
        for outcome in found {
            let puzzle = outcome.puzzle;
            let (wanted, drafts) = &alone[puzzle];
            assert_eq!(&witness.drafts(question(puzzle).tokens), drafts, "{puzzle}, batch {batch}");
            assert_eq!(
                &News::Found(Found { puzzle: 0, ..outcome }),
                wanted,
                "{puzzle}, batch {batch}"
            );
        }
    }
}

#[test]
fn a_search_runs_on_another_thread_and_one_puzzle_can_be_given_up() {
    let mut session = solver(5).search(Box::new(Always(Judgement::Wrong)));
    let told = std::thread::spawn(move || {
        let question = Question { tokens: &tokens(2), puzzles: &[0, 0] };
        session.push(question, SEARCH).unwrap();
        session.step().unwrap();
        session.give_up(0);
        session.give_up(9);
        assert_eq!(session.len(), 1);
        std::iter::from_fn(|| session.take()).collect::<Vec<_>>()
    });
    let told = told.join().unwrap();
    let first = drafts(&tokens(2), 1).remove(0).answer;
    let [News::Draft { puzzle: 0, .. }, News::Draft { puzzle: 1, .. }, News::Found(found)] =
        &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((found.puzzle, found.steps, found.verified, &found.answer), (0, 1, false, &first));
}

#[test]
fn whoever_leaves_a_search_makes_room_for_the_next_step() {
    let mut session = solver(1).search(Box::new(Always(Judgement::Wrong)));
    session.push(Question { tokens: &tokens(3), puzzles: &[0; 3] }, SEARCH).unwrap();
    let mut first = || {
        session.step().unwrap();
        let News::Draft { puzzle, step, .. } = session.take().unwrap() else { panic!("a draft") };
        assert!(session.withdraw(puzzle), "its search is under way");
        (puzzle, step)
    };
    assert_eq!([first(), first(), first()], [(0, 1), (1, 1), (2, 1)]);
    assert!(session.is_empty() && session.take().is_none());
}
