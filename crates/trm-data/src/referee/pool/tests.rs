//! Pools of small shell scripts.

use crate::RefereeCommand;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use trm_puzzles::{Asked, Domain, Verdict};

/// A script that writes down its process and replies by the first cell of the answer: `a` right, `b` wrong, `c` ends
/// it, `d` hangs, `e` is rubbish.
const SCRIPT: &str = r#"
echo $$ >> started
while read -r line; do
  case $line in
    *'"answer":["a'*) echo '{"verdict":"right","cost":2}' ;;
    *'"answer":["b'*) echo '{"verdict":"wrong","broken":[[0,1]],"why":"b"}' ;;
    *'"answer":["c'*) exit 3 ;;
    *'"answer":["d'*) sleep 100 ;;
    *) echo rubbish ;;
  esac
done
"#;

fn domain(name: &str) -> Domain {
    name.parse().unwrap()
}

/// A domain that is judged by the script, in a folder of its own.
fn judged(folder: &Path, name: &str, workers: usize) -> Domain {
    let script = format!("cd {}; {SCRIPT}", folder.display());
    let words = vec!["sh".into(), "-c".into(), script];
    let limit = Duration::from_secs(1);
    RefereeCommand { words, workers, limit }.start(&domain(name)).unwrap()
}

/// The processes that have been started, once there are so many.
fn started(folder: &Path, wanted: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(folder.join("started")).unwrap_or_default();
        let processes: Vec<String> = text.lines().map(str::to_owned).collect();
        if processes.len() >= wanted || begun.elapsed() > Duration::from_secs(10) {
            return processes;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_alive(process: &str) -> bool {
    let listed = Command::new("ps").args(["-e", "-o", "pgid=,stat="]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut members = listed.lines().filter_map(|line| line.trim().split_once(' '));
    members.any(|(group, state)| group == process && !state.trim().starts_with('Z'))
}

/// What is said of the answer that begins with this token.
fn verdict(domain: &Domain, token: u8) -> Result<Verdict, String> {
    domain.verify(&[1, 1], &[token, 1]).map_err(|error| error.to_string())
}

const GRID: &str = "grid:2x1:abcdef";

#[test]
fn many_answers_are_dealt_out_and_come_back_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let domain = judged(folder.path(), "grid:8x1:ab", 3);
    let answers: Vec<Vec<u8>> =
        (0..256_usize).map(|i| (0..8).map(|bit| 1 + (i >> bit & 1) as u8).collect()).collect();
    let asked: Vec<Asked<'_>> = answers.iter().map(|answer| (&[1; 8][..], &answer[..])).collect();
    assert_eq!(domain.verify_all(&asked[..1]).unwrap()[0].ruling().unwrap().cost, Some(2.0));
    assert_eq!(started(folder.path(), 1).len(), 1, "one answer needs one process");
    for (answer, verdict) in answers.iter().zip(domain.verify_all(&asked).unwrap()) {
        assert_eq!(verdict.is_solved(), answer[0] == 1);
        assert_eq!(verdict.broken(), if answer[0] == 1 { &[][..] } else { &[1] });
    }
    let processes = started(folder.path(), 2);
    assert!((2..=3).contains(&processes.len()), "{processes:?}");
    let copy = domain.clone();
    drop(domain);
    assert!(processes.iter().all(|process| is_alive(process)));
    drop(copy);
    assert!(!processes.iter().any(|process| is_alive(process)));
}

#[test]
fn lines_that_no_pipe_holds_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let domain = judged(folder.path(), "grid:255x40:ab", 1);
    let long = vec![1; 255 * 40];
    let other = [vec![1; 255 * 40 - 1], vec![2]].concat();
    let verdicts = domain.verify_all(&[(&long, &long), (&long, &other)]).unwrap();
    assert!(verdicts.iter().all(Verdict::is_solved));
}

#[test]
fn a_crash_is_told_with_its_status_and_another_process_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let domain = judged(folder.path(), GRID, 1);
    let error = verdict(&domain, 3).unwrap_err();
    assert!(error.contains("ended (exit status: 3): it must reply to every line"), "{error}");
    assert!(error.starts_with("the referee `sh -c cd "), "{error}");
    assert!(verdict(&domain, 1).unwrap().is_solved());
    assert_eq!(started(folder.path(), 2).len(), 2);
}

#[test]
fn rubbish_is_shown_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let error = verdict(&judged(folder.path(), GRID, 1), 5).unwrap_err();
    assert!(error.contains("wrote `rubbish`, not {\"verdict\":\"right\"} or"), "{error}");
    assert!(!started(folder.path(), 1).iter().any(|process| is_alive(process)));
}

#[test]
fn who_hangs_is_killed_with_all_that_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let domain = judged(folder.path(), GRID, 2);
    let begun = Instant::now();
    let error = verdict(&domain, 4).unwrap_err();
    let seconds = begun.elapsed().as_secs_f64();
    assert!(
        error.contains("gave no verdict within 1 s: allow more with --referee-seconds"),
        "{error}"
    );
    assert!((1.0..30.0).contains(&seconds), "{seconds}");
    let [process] = &started(folder.path(), 1)[..] else { panic!() };
    assert!(!is_alive(process), "neither the process nor what it has started");
}

#[test]
fn a_program_that_is_not_there_is_told_at_once() {
    let words = vec!["no-such-program-at-all".into(), "x".into()];
    let command = RefereeCommand { words, workers: 2, limit: RefereeCommand::LIMIT };
    let error = command.start(&domain(GRID)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("the referee `no-such-program-at-all x` cannot be started: "),
        "{text}"
    );
    assert!(error.is_misuse());
}
