//! Language models on the same puzzles: what they are asked, how their answers are read, what comes of it.

use super::endpoint::{Endpoint, Reply, keep, kept};
use super::study::{Asked, Study};
use crate::display::{heading, progress_bar};
use anyhow::{Result, bail};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use trm_puzzles::Domain;
use trm_train::files::create_folder;
use trm_train::{Dataset, Score};

/// What a line with the answer begins with.
const MARK: &str = "ANSWER:";

/// What came of asking a language model.
#[derive(Serialize)]
pub(crate) struct Language {
    pub(crate) name: String,
    pub(crate) model: String,
    /// Puzzles that were to be asked; fewer were if the cost cap was reached.
    pub(crate) wanted: usize,
    pub(crate) asked: usize,
    pub(crate) exact: usize,
    /// Replies without an answer in the form that was asked for; they count as wrong.
    pub(crate) unreadable: usize,
    /// Means of a puzzle.
    pub(crate) prompt_tokens: f64,
    pub(crate) answer_tokens: f64,
    /// Of all answers, by the prices of the study.
    pub(crate) cost: f64,
    /// Median of a reply, others being asked at the same time.
    pub(crate) milliseconds: f64,
}

/// Asks every language model of a study that can be reached; those that nothing says how to reach are left
/// out.
pub(crate) fn ask_all(study: &Study, out: &Path, test: &Dataset) -> Result<Vec<Language>> {
    let mut all = Vec::new();
    for Asked { name, slug, settings } in study.language_models() {
        heading(&name);
        let Some(endpoint) = Endpoint::new(&settings) else {
            eprintln!("left out: TRM_CHAT_URL and TRM_CHAT_MODEL name no language model");
            continue;
        };
        let count = settings.puzzles.min(test.groups());
        let some = test.select_groups(&(0..count).collect::<Vec<_>>());
        let interview = Interview {
            prompts: prompts(&some)?,
            folder: out.join(slug).join("answers"),
            cap: settings.cost_cap.unwrap_or(f64::INFINITY),
            concurrency: settings.concurrency,
            endpoint,
        };
        let replies = interview.hold()?;
        let finding = finding(name, &interview, &replies, &some)?;
        let Language { exact, asked, unreadable, .. } = finding;
        eprintln!("{exact} of {asked} exactly right, {unreadable} without a readable answer");
        all.push(finding);
    }
    Ok(all)
}

/// Questions to a model, and what limits them.
struct Interview {
    endpoint: Endpoint,
    prompts: Vec<String>,
    /// Where replies are kept.
    folder: PathBuf,
    concurrency: usize,
    cap: f64,
}

/// What is known while questions are being asked.
struct Progress {
    next: usize,
    /// Cost of all replies, and the most that those under way can cost.
    spent: f64,
    replies: Vec<Option<Reply>>,
    failure: Option<anyhow::Error>,
}

impl Interview {
    /// Replies to the prompts, none for those that the cost cap forbids.
    fn hold(&self) -> Result<Vec<Option<Reply>>> {
        create_folder(&self.folder)?;
        let bar = progress_bar(self.prompts.len() as u64, "asking {wide_bar} {pos}/{len}");
        let replies = vec![None; self.prompts.len()];
        let progress = Mutex::new(Progress { next: 0, spent: 0.0, replies, failure: None });
        std::thread::scope(|scope| {
            for _ in 0..self.concurrency {
                scope.spawn(|| {
                    while self.ask_next(&progress) {
                        bar.inc(1)
                    }
                });
            }
        });
        bar.finish_and_clear();
        let progress = progress.into_inner().expect("no thread panicked");
        match progress.failure {
            Some(failure) => Err(failure),
            None => Ok(progress.replies),
        }
    }

    /// Whether there may be another question.
    fn ask_next(&self, progress: &Mutex<Progress>) -> bool {
        let lock = || progress.lock().expect("no thread panicked");
        let mut now = lock();
        let i = now.next;
        if now.failure.is_some() || i == self.prompts.len() {
            return false;
        }
        let request = self.endpoint.request(&self.prompts[i]);
        let path = self.folder.join(self.endpoint.digest(&request)).with_extension("json");
        let found = kept(&path);
        let is_new = matches!(found, Ok(None));
        let reserve = if is_new { self.endpoint.dearest(&request) } else { 0.0 };
        if now.spent + reserve > self.cap {
            return false;
        }
        now.next += 1;
        let reply = match found {
            Ok(None) => {
                now.spent += reserve;
                drop(now);
                let asked = self.endpoint.ask(&request);
                let reply = asked.and_then(|reply| keep(&path, &reply).map(|()| Some(reply)));
                now = lock();
                now.spent -= reserve;
                reply
            }
            found => found,
        };
        match reply {
            Ok(reply) => {
                now.spent += reply.as_ref().map_or(0.0, |reply| self.endpoint.cost(reply));
                now.replies[i] = reply;
                true
            }
            Err(error) => {
                now.failure.get_or_insert(error);
                false
            }
        }
    }
}

fn finding(
    name: String,
    interview: &Interview,
    replies: &[Option<Reply>],
    data: &Dataset,
) -> Result<Language> {
    let domain: Domain = data.metadata.domain.parse()?;
    let (mut exact, mut unreadable) = (0, 0);
    for (i, reply) in replies.iter().enumerate() {
        match reply.as_ref().map(|reply| answer(domain, &reply.text)) {
            Some(Some(answer)) => {
                let score = Score::new(&answer, data.label(i), 1, data.ignore_label());
                exact += usize::from(score.exact[0]);
            }
            Some(None) => unreadable += 1,
            None => {}
        }
    }
    let replies: Vec<&Reply> = replies.iter().flatten().collect();
    let mean = |of: fn(&Reply) -> u64| {
        replies.iter().map(|reply| of(reply) as f64).sum::<f64>() / replies.len().max(1) as f64
    };
    let mut times: Vec<f64> = replies.iter().map(|reply| reply.milliseconds).collect();
    times.sort_by(f64::total_cmp);
    Ok(Language {
        name,
        model: interview.endpoint.model.clone(),
        wanted: data.len(),
        asked: replies.len(),
        exact,
        unreadable,
        prompt_tokens: mean(|reply| reply.prompt_tokens),
        answer_tokens: mean(|reply| reply.answer_tokens),
        cost: replies.iter().map(|reply| interview.endpoint.cost(reply)).sum(),
        milliseconds: times.get(times.len() / 2).copied().unwrap_or(0.0),
    })
}

/// What a language model is asked.
fn prompts(data: &Dataset) -> Result<Vec<String>> {
    let domain: Option<Domain> = data.metadata.domain.parse().ok();
    let (domain, rules) = match domain {
        Some(domain @ Domain::Sudoku(_)) => {
            let layout = domain.layout();
            let (n, (rows, columns)) = (layout.columns, layout.boxes);
            let rules = format!(
                "Solve this Sudoku of {n} rows and {n} columns. Every row, every column and every box of \
                 {rows} rows and {columns} columns holds each of the digits 1 to {n} exactly once. A dot is \
                 an empty cell."
            );
            (domain, rules)
        }
        Some(domain @ Domain::Maze(_)) => {
            let rules = "Find the shortest path through this maze from S to G, up, down, left or right from \
                         one cell to the next. # is a wall, a dot is free. Mark every free cell on the path \
                         with the letter o and leave all other cells as they are. Where several paths are \
                         shortest, take the one that a breadth-first search from S finds that looks down, \
                         left, right and up, in this order.";
            (domain, rules.to_owned())
        }
        _ => {
            bail!("language models are asked about Sudoku and mazes only: take their contender out")
        }
    };
    let prompt = |question: &[u8]| {
        let row = |row: &[u8]| row.iter().map(|token| domain.symbol(*token)).collect::<String>();
        let rows: Vec<String> = question.chunks(domain.layout().columns).map(row).collect();
        format!(
            "{rules}\n\n{}\n\nThink as long as you need. Then end with one line of exactly this form, with all \
             {} cells of your answer, row after row, nothing between them:\n{MARK} <cells>\n",
            rows.join("\n"),
            question.len()
        )
    };
    Ok(data.questions().into_iter().map(prompt).collect())
}

/// The answer in a reply: its last line that begins with the mark, if what follows is one symbol for every
/// cell, blanks between them or not.
fn answer(domain: Domain, reply: &str) -> Option<Vec<u8>> {
    let line = reply.lines().rev().find_map(|line| line.trim().strip_prefix(MARK))?;
    let token = |c: char| (1..domain.vocab_size() as u8).find(|token| domain.symbol(*token) == c);
    let cells = line.chars().filter(|c| !c.is_whitespace()).map(token);
    let tokens: Vec<u8> = cells.collect::<Option<_>>()?;
    (tokens.len() == domain.seq_len()).then_some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_last_marked_line_and_nothing_else_is_guessed() {
        let domain: Domain = "sudoku4".parse().unwrap();
        let solved = "1234341221434321";
        let tokens: Vec<u8> = solved.bytes().map(|b| b - b'0' + 1).collect();
        for reply in [
            format!("ANSWER: {solved}"),
            "I think so.\n  ANSWER:1234 3412 2143 4321  \n\nBye.".to_owned(),
            format!("ANSWER: 1111111111111111\nno:\nANSWER: {solved}"),
        ] {
            assert_eq!(answer(domain, &reply).as_ref(), Some(&tokens), "{reply}");
        }
        for reply in [
            "",
            solved,
            "The answer is ANSWER: 1234341221434321",
            "ANSWER: 123434122143432",
            "ANSWER: 12343412214343211",
            "ANSWER: 1234|3412|2143|4321",
            "ANSWER: 1234341221434325",
            &format!("ANSWER: {solved}\nANSWER: <cells>"),
        ] {
            assert_eq!(answer(domain, reply), None, "{reply}");
        }
        let maze: Domain = "maze2x2".parse().unwrap();
        assert!(answer(maze, "ANSWER: So#G").is_some() && answer(maze, "ANSWER: S?#G").is_none());
    }

    #[test]
    fn prompts_show_the_puzzle_and_the_form_of_the_answer() {
        let metadata = |domain: &str, vocab_size: usize, seq_len: usize| trm_train::Metadata {
            domain: domain.into(),
            vocab_size,
            seq_len,
            ..trm_train::Metadata::default()
        };
        let sudoku = metadata("sudoku4", 6, 16);
        let data = Dataset::from_pairs(sudoku, vec![1; 16], vec![2; 16]);
        let prompt = prompts(&data).unwrap().remove(0);
        assert!(
            prompt.contains("....\n....\n....\n....\n") && prompt.contains("2 rows and 2 columns")
        );
        assert!(prompt.ends_with("ANSWER: <cells>\n") && prompt.contains("all 16 cells"));
        let data = Dataset::from_pairs(metadata("arc", 12, 900), vec![1; 900], vec![2; 900]);
        assert!(prompts(&data).unwrap_err().to_string().contains("Sudoku and mazes only"));
    }
}
