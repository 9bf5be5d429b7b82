//! The thread of an autoregressive model: it writes batches of answers, cell after cell.

use crate::engine::{Ask, Asks};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::seat::Seat;
use crate::told::{Draft, Ending};
use std::collections::VecDeque;
use std::time::Instant;
use trm::{Autoregressive, AutoregressiveConfig, Network, Writing, Written};
use trm_puzzles::Domain;
use trm_study::{Choice, Chosen, SampleOptions};
use trm_train::OpenCells;

/// Writes what has been asked for, so many puzzles at a time, and waits otherwise.
pub(crate) fn run(
    model: &Autoregressive,
    open: &OpenCells,
    batch: usize,
    asked: &Asks<SampleOptions>,
    metrics: &Metrics,
) {
    let desk = Desk { model, open, metrics };
    let mut waiting = VecDeque::new();
    while let Some(asks) = asked.take(waiting.is_empty()) {
        waiting.extend(asks);
        if let Some((domain, mut seats, options)) = next(&mut waiting, batch) {
            let mut first = 0;
            while !seats.is_empty() {
                let some: Vec<Seat> = seats.drain(..batch.min(seats.len())).collect();
                let count = some.len();
                desk.answer(&domain, some, (options, first));
                first += count as u64;
            }
        }
    }
}

/// The puzzles that are written next: those of a request, and of others as long as there is room and chance has no
/// part in them.
fn next(
    waiting: &mut VecDeque<Ask<SampleOptions>>,
    batch: usize,
) -> Option<(Domain, Vec<Seat>, SampleOptions)> {
    let ask = waiting.pop_front()?;
    let domain = ask.domain.clone();
    let (mut seats, options) = ask.seats();
    while options.samples == 1
        && let Some(other) = waiting.front()
        && other.effort.samples == 1
        && seats.len() + other.puzzles.len() <= batch
    {
        seats.extend(waiting.pop_front()?.seats().0);
    }
    Some((domain, seats, options))
}

/// Writes answers.
struct Desk<'a> {
    model: &'a Autoregressive,
    open: &'a OpenCells,
    metrics: &'a Metrics,
}

impl Desk<'_> {
    /// Writes answers to a batch of puzzles until one keeps the rules, and tells them. `first` is the place of the
    /// first puzzle in its request, for random numbers.
    fn answer(
        &self,
        domain: &Domain,
        mut seats: Vec<Seat>,
        (options, first): (SampleOptions, u64),
    ) {
        let mut choices = vec![Choice::default(); seats.len()];
        // once around all tokens: each is too little work to change threads for
        let written = self.model.device().install(|| {
            for sample in 0..options.samples {
                let is_open = |(seat, choice): (&Seat, &Choice)| {
                    seat.is_heard()
                        && !choice.is_settled()
                        && (sample == 0 || Instant::now() < seat.until)
                };
                if !seats.iter().zip(&choices).any(is_open) {
                    break;
                }
                self.write(domain, &mut seats, &mut choices, (options, sample, first))?;
            }
            Ok(())
        });
        for (seat, choice) in seats.into_iter().zip(choices) {
            match &written {
                Err(refusal) => seat.refuse(Refusal::clone(refusal)),
                Ok(()) => self.end(seat, choice),
            }
        }
    }

    /// One more answer to each of some puzzles.
    fn write(
        &self,
        domain: &Domain,
        seats: &mut [Seat],
        choices: &mut [Choice],
        (options, sample, first): (SampleOptions, usize, u64),
    ) -> Result<(), Refusal> {
        let config = self.model.config();
        let prompt = |seat: &Seat| self.open.prompt(config, &seat.question);
        let prompts: Vec<Vec<u8>> = seats.iter().map(prompt).collect();
        let mut writing = Writing::new(self.model, &prompts, (options.sampling(sample), first));
        let mut pages: Vec<Page> = seats.iter().map(Page::new).collect();
        while writing.step().map_err(failed)? {
            let listeners = seats.iter().filter(|seat| seat.is_heard()).count();
            self.metrics.step(listeners);
            if listeners == 0 {
                return Ok(());
            }
            for ((seat, page), written) in seats.iter_mut().zip(&mut pages).zip(writing.written()) {
                let draft = page.turn(config, (domain, &seat.question), written, sample + 1);
                draft.into_iter().for_each(|draft| seat.draft(draft));
            }
        }
        for ((seat, choice), written) in seats.iter().zip(choices).zip(writing.written()) {
            let mut answer = config.read(&seat.question, &written.tokens);
            domain.clip(&mut answer);
            let verdict = Some(domain.verify(&seat.question, &answer).map_err(failed)?);
            choice.offer(Chosen { answer, written: written.clone(), sample: sample + 1, verdict });
        }
        Ok(())
    }

    /// Tells what has been chosen, as a draft if it is another than the last, and the end.
    fn end(&self, mut seat: Seat, choice: Choice) {
        let Some(chosen) = choice.best().filter(|_| seat.is_heard()).cloned() else {
            self.metrics.left.inc();
            return;
        };
        if seat.draft.as_ref() != Some(&chosen.answer) {
            let config = self.model.config();
            let page = Page::new(&seat);
            seat.draft(page.draft(config, chosen.answer.clone(), &chosen.written, chosen.sample));
        }
        self.metrics.answered.inc();
        seat.end(Ending::Written(chosen));
    }
}

/// What has been written of an answer.
struct Page {
    tokens: usize,
    log_probability: f32,
    /// The probability of every cell's symbol when it was written; 0 of the others.
    sureness: Vec<f32>,
}

impl Page {
    fn new(seat: &Seat) -> Page {
        Page { tokens: 0, log_probability: 0.0, sureness: vec![0.0; seat.question.len()] }
    }

    /// The draft as soon as one more cell is written.
    fn turn(
        &mut self,
        config: &AutoregressiveConfig,
        (domain, question): (&Domain, &[u8]),
        written: &Written,
        chain: usize,
    ) -> Option<Draft> {
        if written.tokens.len() < self.tokens + config.per_cell() {
            return None;
        }
        let cell = config.cells(&written.tokens).last().copied().unwrap_or(usize::MAX);
        if let Some(sureness) = self.sureness.get_mut(cell) {
            *sureness = (written.log_probability - self.log_probability).exp();
        }
        (self.tokens, self.log_probability) = (written.tokens.len(), written.log_probability);
        let mut answer = config.read(question, &written.tokens);
        domain.clip(&mut answer);
        let changed = Some(cell).filter(|cell| *cell < question.len()).into_iter().collect();
        Some(Draft { changed, ..self.draft(config, answer, written, chain) })
    }

    fn draft(
        &self,
        config: &AutoregressiveConfig,
        answer: Vec<u8>,
        written: &Written,
        chain: usize,
    ) -> Draft {
        Draft {
            chain,
            step: written.tokens.len() / config.per_cell(),
            answer,
            sureness: self.sureness.clone(),
            changed: Vec::new(),
            halt_probability: None,
            verdict: None,
        }
    }
}

fn failed(error: impl ToString) -> Refusal {
    Refusal::failed(error.to_string())
}
