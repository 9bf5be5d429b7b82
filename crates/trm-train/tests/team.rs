//! Runs of several processes, played by threads: the same bits as one process alone, whatever their number, also after a
//! stop; and what makes all of them end.

use std::path::Path;
use trm::Network;
use trm_data::{Dataset, Generated, Kind, generate_sudoku};
use trm_ops::{DType, Device, Stop};
use trm_puzzles::sudoku::{Givens, Shape};
use trm_team::Team;
use trm_train::{AutoregressiveTrainer, Ending, Event, Recipe, Run, Trainer, Workers};

const BASE: &[&str] = &[
    "model.hidden=32",
    "model.heads=4",
    "model.inner_multiple=16",
    "model.cycles=2",
    "model.recursions=1",
    "model.supervision_steps=3",
    "model.prefix_len=1",
    "model.puzzle_embedding=8",
    "train.steps=6",
    "train.batch=61", // in portions of 15 puzzles
    "train.lr=1e-2",
    "train.puzzle_lr=1e-2",
    "train.warmup=2",
    "train.ema=0.5",
    "train.exploration=0.3",
    "train.grad_clip=1",
    "train.validation=7",
    "train.validate_every=2",
    "train.checkpoint_every=2",
];
const ATTENTION: &[&str] = &["model.mix=attention", "model.positions=rope", "train.optimizer=muon"];
const UNITS: &[&str] =
    &["model.mix=units", "model.boxes=[2,2]", "model.prefix_len=0", "model.puzzle_embedding=0"];

/// Puzzles with identifiers, where there are any.
fn data() -> Dataset {
    let kind = Kind::Random(Givens::AtLeast(6..=10));
    let wanted = Generated { shape: Shape::Four, train: 60, test: 1, kind, seed: 5 };
    let mut data = generate_sudoku(&wanted, None, &mut |_| ()).unwrap().train;
    data.metadata.num_puzzle_identifiers = 9;
    data.puzzle_identifiers = (0..60).map(|puzzle| puzzle % 9).collect();
    data
}

fn recipe(settings: &[&str]) -> Recipe {
    let settings: Vec<String> = BASE.iter().chain(settings).map(|s| (*s).to_owned()).collect();
    Recipe::parse("seed = 3", &settings).unwrap()
}

fn workers(team: &Team, threads: usize) -> Workers {
    Workers { device: Device::cpu(threads), team: team.clone() }
}

/// What a process knows of a run: its weights, averaged and not, its steps and validations.
#[derive(Debug, PartialEq)]
struct Outcome(String, Vec<String>, Option<Ending>);

fn train(run: &mut Run, stop_at: Option<u64>) -> Outcome {
    let (stop, mut heard) = (Stop::default(), Vec::new());
    let first = run.team().leads();
    let ending = run.train(&stop, &mut |event| match event {
        Event::Step(metrics) => {
            heard.push(format!("{metrics:?}"));
            // the last process is asked, the others hear of it
            if stop_at == Some(metrics.step) && !first {
                stop.request();
            }
        }
        Event::Validation { step, evaluation, best } => {
            let scores: Vec<_> = evaluation.steps.iter().map(|s| (s.exact, s.cells)).collect();
            heard.push(format!("{step} {scores:?} {:?} {best}", evaluation.loss));
        }
        Event::Checkpoint(_) | Event::RolledBack { .. } => {}
    });
    let averaged = run.trainer().averaged_model().to_safetensors(DType::F32).unwrap();
    let latest = run.trainer().model().to_safetensors(DType::F32).unwrap();
    Outcome(blake3::hash(&[averaged, latest].concat()).to_string(), heard, ending.ok())
}

/// The outcome of so many processes, which is the same on all of them.
fn outcome(processes: usize, work: impl Fn(&Team) -> Outcome + Sync) -> Outcome {
    let mut outcomes = Team::of_threads(processes, |team| work(&team));
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "processes differ");
    outcomes.swap_remove(0)
}

fn create(folder: &Path, team: &Team, recipe: &Recipe) -> Run {
    Run::create(&folder.join("run"), recipe.clone(), data(), workers(team, 1)).unwrap()
}

#[test]
fn any_number_of_processes_trains_the_same_weights() {
    for settings in [&[][..], ATTENTION, UNITS] {
        for precision in ["train.precision=f32", "train.precision=bf16"] {
            let recipe = recipe(&[settings, &[precision]].concat());
            let of = |processes| {
                let folder = tempfile::tempdir().unwrap();
                outcome(processes, |team| train(&mut create(folder.path(), team, &recipe), None))
            };
            let alone = of(1);
            assert_eq!(alone.2, Some(Ending::Finished));
            for processes in [2, 3, 4] {
                assert_eq!(alone, of(processes), "{processes} processes, {settings:?} {precision}");
            }
        }
    }
}

#[test]
fn a_stopped_run_goes_on_with_another_number_of_processes() {
    let recipe = recipe(ATTENTION);
    let folder = tempfile::tempdir().unwrap();
    let whole = outcome(1, |team| train(&mut create(folder.path(), team, &recipe), None));
    // at step 2 the stop meets the validation
    for (first, second, step) in [(2, 4, 3), (3, 1, 2), (2, 3, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let stopped =
            outcome(first, |team| train(&mut create(folder.path(), team, &recipe), Some(step)));
        assert_eq!(stopped.2, Some(Ending::Interrupted));
        let resumed = outcome(second, |team| {
            let run = Run::resume(&run, None, data(), recipe.clone(), workers(team, 2));
            train(&mut run.unwrap(), None)
        });
        assert_eq!(resumed.0, whole.0, "{first} processes, then {second}");
        assert_eq!([stopped.1, resumed.1].concat(), whole.1);
    }
}

/// What every process says of a run that must not begin.
fn refusals(processes: usize, create: impl Fn(&Team) -> Option<trm_train::Error> + Sync) -> String {
    let mut said = Team::of_threads(processes, |team| create(&team).expect("refused").to_string());
    assert!(said.iter().all(|line| *line == said[0]), "{said:?}");
    said.swap_remove(0)
}

#[test]
fn processes_that_differ_end_together_and_say_which_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let difference = |settings: &'static str, puzzles: usize| {
        refusals(3, |team| {
            let odd = team.rank() == 2;
            let recipe = recipe(&[if odd { settings } else { BASE[0] }]);
            let mut data = data();
            if odd {
                data = data.select_groups(&(0..puzzles).collect::<Vec<_>>());
            }
            Run::<Trainer>::create(&path, recipe, data, workers(team, 1)).err()
        })
    };
    let said = difference("train.lr=2e-2", 60);
    assert!(said.contains("rank 2 on thread 2: the recipe (its digest) is"), "{said}");
    let said = difference("train.lr=1e-2", 59);
    assert!(said.contains("rank 2 on thread 2: the data set (its digest) is"), "{said}");
    let said = difference("train.validation=60", 60);
    assert!(said.contains("rank 2 on thread 2: train.validation = 60 groups"), "{said}");
    assert!(!path.exists());
}

#[test]
fn more_processes_than_portions_and_written_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let small = recipe(&["train.batch=20"]);
    let said = refusals(3, |team| {
        Run::<Trainer>::create(folder.path(), small.clone(), data(), workers(team, 1)).err()
    });
    assert!(said.contains("2 portions here, too few for 3 processes"), "{said}");
    let text = "autoregressive = { hidden = 16, heads = 2, blocks = 1 }";
    let written = Recipe::parse(text, &["train.validation=0".into()]).unwrap();
    let said = refusals(2, |team| {
        let workers = workers(team, 1);
        Run::<AutoregressiveTrainer>::create(folder.path(), written.clone(), data(), workers).err()
    });
    assert!(said.contains("train it in one process"), "{said}");
}

#[test]
fn a_fault_of_one_process_rolls_all_of_them_back() {
    let recipe =
        recipe(&["train.lr=1e18", "train.grad_clip=0", "train.rollbacks=1", "train.warmup=4"]);
    let of = |processes| {
        let folder = tempfile::tempdir().unwrap();
        let mut faults = Team::of_threads(processes, |team| {
            let mut run = create(folder.path(), &team, &recipe);
            let mut steps = Vec::new();
            let error = run.train(&Stop::default(), &mut |event| {
                if let Event::RolledBack { step, fault } = event {
                    steps.push((step, fault.to_string()));
                }
            });
            let error = error.unwrap_err().to_string();
            (steps, error.replace(folder.path().to_str().unwrap(), ""), run.progress().drawn)
        });
        assert!(faults.iter().all(|fault| *fault == faults[0]), "{faults:?}");
        faults.swap_remove(0)
    };
    let alone = of(1);
    assert!(alone.0.len() == 1 && alone.1.contains("is not finite"), "{alone:?}");
    assert_eq!(alone, of(2));
}
