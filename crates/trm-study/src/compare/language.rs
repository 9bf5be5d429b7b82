//! Language models on the same puzzles: what they are asked, how their answers are read, what comes of it.

use super::endpoint::{Endpoint, Reply, keep, kept};
use super::study::{Asked, Study};
use super::{Follower, News, median, refused};
use crate::{Error, Score};
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use trm_data::Dataset;
use trm_data::files::create_folder;
use trm_data::text::{counted, foreign};
use trm_puzzles::Domain;

/// What a line with the answer begins with.
const MARK: &str = "ANSWER:";

/// What came of asking a language model.
#[derive(Serialize)]
pub struct Language {
    /// Its name in the study.
    pub name: String,
    /// Its name at its endpoint.
    pub model: String,
    /// Puzzles that were to be asked; fewer were if the cost cap was reached.
    pub wanted: usize,
    /// Puzzles that were asked.
    pub asked: usize,
    /// Right answers.
    pub exact: usize,
    /// Replies without an answer in the form that was asked for; they count as wrong.
    pub unreadable: usize,
    /// Those of them that ended because the model had used up its tokens.
    pub cut_off: usize,
    /// Mean over the puzzles whose tokens were counted.
    pub prompt_tokens: Option<f64>,
    /// Mean over the puzzles whose tokens were counted.
    pub answer_tokens: Option<f64>,
    /// Of all answers, by the prices of the study.
    pub cost: f64,
    /// Median of a reply, others being asked at the same time.
    pub milliseconds: f64,
    /// The first request, as an example of all.
    pub request: Value,
}

/// A language model of a study, if anything says how to reach it.
pub struct Candidate {
    asked: Asked,
    endpoint: Option<Endpoint>,
}

/// The language models of a study.
///
/// # Errors
/// If the environment says half of how to reach one, or it cannot be so.
pub fn candidates(study: &Study) -> Result<Vec<Candidate>, Error> {
    let candidate = |asked: Asked| {
        let endpoint = Endpoint::new(&asked.settings)?;
        Ok(Candidate { asked, endpoint })
    };
    study.language_models().into_iter().map(candidate).collect()
}

/// Asks every language model that can be reached; the others are left out.
pub(super) fn ask_all(
    candidates: Vec<Candidate>,
    out: &Path,
    test: &Dataset,
    follower: &impl Follower,
) -> Result<Vec<Language>, Error> {
    let note = |text: String| follower.hear(News::Note(&text));
    let mut all = Vec::new();
    for Candidate { asked: Asked { name, slug, settings }, endpoint } in candidates {
        follower.hear(News::Part(&name));
        let Some(endpoint) = endpoint else {
            let variables = &settings.variables;
            note(format!("left out: {variables}_URL and {variables}_MODEL name no language model"));
            continue;
        };
        let count = settings.puzzles.min(test.groups());
        let some = test.select_groups(&(0..count).collect::<Vec<_>>());
        let puzzles = counted(some.len(), "puzzle");
        let (model, place) = (foreign(&endpoint.model), &endpoint.place);
        note(format!("asking {model} at {place} about {puzzles}"));
        let (domain, prompts) = prompts(&some)?;
        let interview = Interview {
            requests: prompts.iter().map(|prompt| endpoint.request(prompt)).collect(),
            folder: out.join(slug).join("answers"),
            cap: settings.cost_cap.unwrap_or(f64::INFINITY),
            concurrency: settings.concurrency,
            endpoint,
        };
        let replies = interview.hold(follower).map_err(|error| match error {
            Error::Failed(text) => {
                let out = out.display();
                Error::Failed(format!("{text}; answers are kept: go on with --out {out}"))
            }
            error => error,
        })?;
        let finding = interview.finding(name, &domain, &replies, &some);
        let Language { exact, asked, wanted, unreadable, .. } = finding;
        note(format!("{exact} of {asked} exactly right, {unreadable} without a readable answer"));
        if asked < wanted {
            let cap = interview.cap;
            let left = wanted - asked;
            note(format!("{left} were not asked: they could exceed the cost cap of {cap}"));
        }
        all.push(finding);
    }
    Ok(all)
}

/// Questions to a model, and what limits them.
struct Interview {
    endpoint: Endpoint,
    requests: Vec<Value>,
    /// Where replies are kept.
    folder: PathBuf,
    concurrency: usize,
    cap: f64,
}

/// What is known while questions are being asked.
struct Progress {
    /// Requests that are still to be sent.
    open: VecDeque<usize>,
    /// Cost of all replies, and the most that those under way can cost.
    spent: f64,
    failure: Option<Error>,
}

impl Interview {
    fn path(&self, request: &Value) -> PathBuf {
        self.folder.join(self.endpoint.digest(request)).with_extension("json")
    }

    fn kept(&self) -> Result<Vec<Option<Reply>>, Error> {
        self.requests.iter().map(|request| kept(&self.path(request))).collect()
    }

    fn cost(&self, replies: &[Option<Reply>]) -> f64 {
        let pairs = self.requests.iter().zip(replies);
        pairs.filter_map(|(request, r)| Some(self.endpoint.cost(request, r.as_ref()?))).sum()
    }

    /// Replies to the requests, none to those that the cost cap forbids; what is kept is not asked again.
    fn hold(&self, follower: &impl Follower) -> Result<Vec<Option<Reply>>, Error> {
        create_folder(&self.folder)?;
        let kept = self.kept()?;
        let is_open =
            |i: &usize| kept[*i].is_none() && !self.requests[..*i].contains(&self.requests[*i]);
        let open: VecDeque<usize> = (0..self.requests.len()).filter(is_open).collect();
        follower.hear(News::Asking(open.len()));
        let workers = self.concurrency.min(open.len());
        let progress = Progress { open, spent: self.cost(&kept), failure: None };
        let progress = Mutex::new(progress);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while self.ask_next(&progress, follower) {
                        follower.hear(News::Answered);
                    }
                });
            }
        });
        follower.hear(News::Asked);
        match progress.into_inner().expect("no thread panicked").failure {
            Some(failure) => Err(failure),
            None => self.kept(),
        }
    }

    /// Whether there may be another question.
    fn ask_next(&self, progress: &Mutex<Progress>, follower: &impl Follower) -> bool {
        let lock = || progress.lock().expect("no thread panicked");
        let mut now = lock();
        let Some(&i) = now.open.front().filter(|_| now.failure.is_none()) else { return false };
        let request = &self.requests[i];
        let reserve = self.endpoint.dearest(request);
        if now.spent + reserve > self.cap {
            return false;
        }
        now.open.pop_front();
        now.spent += reserve;
        drop(now);
        let hear = |text: String| follower.hear(News::Note(&text));
        let reply = self.endpoint.ask(request, &hear);
        let reply = reply.and_then(|reply| keep(&self.path(request), &reply).map(|()| reply));
        let mut now = lock();
        now.spent -= reserve;
        match reply {
            Ok(reply) => {
                now.spent += self.endpoint.cost(request, &reply);
                true
            }
            Err(error) => {
                now.failure.get_or_insert(error);
                false
            }
        }
    }

    fn finding(
        &self,
        name: String,
        domain: &Domain,
        replies: &[Option<Reply>],
        data: &Dataset,
    ) -> Language {
        let (mut exact, mut unreadable, mut cut_off) = (0, 0, 0);
        for (i, reply) in replies.iter().enumerate() {
            let Some(reply) = reply else { continue };
            if let Some(answer) = answer(domain, &reply.text) {
                let score = Score::new(&answer, data.label(i), 1, data.ignore_label());
                exact += usize::from(score.exact[0]);
            } else {
                unreadable += 1;
                cut_off += usize::from(reply.cut_off);
            }
        }
        let times = replies.iter().flatten().map(|reply| reply.milliseconds);
        Language {
            name,
            model: self.endpoint.model.clone(),
            wanted: data.len(),
            asked: replies.iter().flatten().count(),
            exact,
            unreadable,
            cut_off,
            prompt_tokens: mean(replies, |reply| reply.prompt_tokens),
            answer_tokens: mean(replies, |reply| reply.answer_tokens),
            cost: self.cost(replies),
            milliseconds: median(times.collect()),
            request: self.requests.first().cloned().unwrap_or_default(),
        }
    }
}

fn mean(replies: &[Option<Reply>], of: fn(&Reply) -> Option<u64>) -> Option<f64> {
    let counts: Vec<u64> = replies.iter().flatten().filter_map(of).collect();
    (!counts.is_empty()).then(|| counts.iter().sum::<u64>() as f64 / counts.len() as f64)
}

/// What a language model is asked.
fn prompts(data: &Dataset) -> Result<(Domain, Vec<String>), Error> {
    let domain: Option<Domain> = data.metadata.domain.parse().ok();
    let known = domain.and_then(|domain| Some((domain.in_words()?, domain)));
    let Some((rules, domain)) = known else {
        return Err(refused(
            "language models are asked only about puzzles whose rules are known in words, such as Sudoku and \
             mazes: take their contender out",
        ));
    };
    let prompt = |question: &[u8]| {
        let row = |row: &[u8]| {
            let symbols: Vec<&str> = row.iter().map(|token| domain.symbol(*token)).collect();
            symbols.join(domain.gap())
        };
        let rows: Vec<String> = question.chunks(domain.layout().columns).map(row).collect();
        let between = if domain.gap().is_empty() { "nothing" } else { "a blank" };
        format!(
            "{rules}\n\n{}\n\nThink as long as you need. Then end with one line of exactly this form, with all \
             {} cells of your answer, row after row, {between} between them:\n{MARK} <cells>\n",
            rows.join("\n"),
            question.len()
        )
    };
    let prompts = data.questions().into_iter().map(prompt).collect();
    Ok((domain, prompts))
}

/// The answer in a reply: its last line that begins with the mark, if what follows is one symbol for every
/// cell. Blanks stand between symbols of several characters; between others they may.
fn answer(domain: &Domain, reply: &str) -> Option<Vec<u8>> {
    let line = reply.lines().rev().find_map(|line| line.trim().strip_prefix(MARK))?;
    let token =
        |s: &str| (1..=u8::MAX).take(domain.vocab_size() - 1).find(|t| domain.symbol(*t) == s);
    let parts = line.split_whitespace().flat_map(|part| part.split(domain.gap()));
    let tokens: Vec<u8> =
        parts.filter(|cell| !cell.is_empty()).map(token).collect::<Option<_>>()?;
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
            assert_eq!(answer(&domain, &reply).as_ref(), Some(&tokens), "{reply}");
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
            assert_eq!(answer(&domain, reply), None, "{reply}");
        }
        let maze: Domain = "maze2x2".parse().unwrap();
        assert!(answer(&maze, "ANSWER: So#G").is_some() && answer(&maze, "ANSWER: S?#G").is_none());
    }

    #[test]
    fn prompts_show_the_puzzle_and_the_form_of_the_answer() {
        let metadata = |domain: &str, vocab_size: usize, seq_len: usize| trm_data::Metadata {
            domain: domain.into(),
            vocab_size,
            seq_len,
            ..trm_data::Metadata::default()
        };
        let sudoku = metadata("sudoku4", 6, 16);
        let data = Dataset::from_pairs(sudoku, vec![1; 16], vec![2; 16]);
        let prompt = prompts(&data).unwrap().1.remove(0);
        assert!(
            prompt.contains("....\n....\n....\n....\n") && prompt.contains("2 rows and 2 columns")
        );
        assert!(prompt.ends_with("ANSWER: <cells>\n") && prompt.contains("all 16 cells"));
        let data = Dataset::from_pairs(metadata("arc", 12, 900), vec![1; 900], vec![2; 900]);
        assert!(prompts(&data).unwrap_err().to_string().contains("known in words"));
    }
}
