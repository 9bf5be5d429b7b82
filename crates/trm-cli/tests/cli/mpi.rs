//! Several processes, started by `mpirun`.

use crate::session::Session;

#[test]
fn processes_that_do_not_know_of_each_other_are_refused() {
    let session = Session::new();
    let output = session.command(&["devices"]).env("OMPI_COMM_WORLD_SIZE", "2").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    let why = if cfg!(feature = "mpi") { "but MPI knows of 1" } else { "--features mpi" };
    assert!(error.contains("2 processes were started") && error.contains(why), "{error}");
    assert_eq!(output.status.code(), Some(2));
}

#[cfg(all(feature = "mpi", target_os = "linux"))]
mod launched {
    use crate::session::Session;
    use std::fs;
    use std::path::Path;
    use std::process::{Child, Command, Output, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    /// Six steps, or so many that nobody waits for their end.
    const SHORT: &str = "train.steps=6";
    const ENDLESS: &str = "train.steps=1000000";
    const RECIPE: &str = r#"
        data = "data"
        seed = 1
        [model]
        hidden = 32
        heads = 2
        cycles = 2
        recursions = 2
        inner_multiple = 16
        prefix_len = 1
        puzzle_embedding = 8
        supervision_steps = 4
        [train]
        steps = 6
        batch = 64
        validation = 20
        validate_every = 3
        checkpoint_every = 2
    "#;

    /// Runs as root in a container too, which may forbid to read another process's memory; time for a checkpoint before
    /// processes are killed.
    const OPEN_MPI: [(&str, &str); 4] = [
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),
        ("OMPI_MCA_odls_base_sigkill_timeout", "5"),
    ];

    fn session() -> Session {
        let session = Session::new();
        let made = ["--train", "100", "--test", "20", "--givens", "6-10", "--out", "data"];
        session.succeed(&[&["data", "sudoku", "--size", "4"], &made[..]].concat());
        session.write("recipe.toml", RECIPE);
        session
    }

    /// `mpirun` with a word for each of the processes, and the command that they share.
    fn mpirun(session: &Session, processes: usize, arguments: &[&str]) -> Command {
        let trm = env!("CARGO_BIN_EXE_trm");
        let mut command = Command::new("mpirun");
        command.args(["--oversubscribe", "--bind-to", "none", "-n", &processes.to_string(), trm]);
        command.args(arguments).args(["--threads", "1"]).current_dir(session.path(""));
        command.envs(OPEN_MPI).stdin(Stdio::null());
        command
    }

    fn succeed(session: &Session, processes: usize, arguments: &[&str]) -> [String; 2] {
        said(mpirun(session, processes, arguments).output().unwrap(), Some(0))
    }

    /// Standard output and standard error.
    fn said(output: Output, code: Option<i32>) -> [String; 2] {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let said = [text(&output.stdout), text(&output.stderr)];
        assert!(code.is_none() || output.status.code() == code, "{:?}: {}", output.status, said[1]);
        said
    }

    fn line<'t>(text: &'t str, start: &str) -> &'t str {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(start)).collect();
        assert_eq!(lines.len(), 1, "one line {start}: {text}");
        lines[0]
    }

    /// An endless run in the folder `run`, that has written a checkpoint.
    fn under_way(session: &Session, processes: usize) -> Child {
        let mut command =
            mpirun(session, processes, &["train", "recipe.toml", "--out", "run", "--set", ENDLESS]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(session, "run/checkpoints");
        child
    }

    /// Waits until there is something in a folder.
    fn wait_for(session: &Session, folder: &str) {
        let began = Instant::now();
        while fs::read_dir(session.path(folder)).map_or(0, Iterator::count) == 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing in {folder}");
            sleep(Duration::from_millis(20));
        }
    }

    /// The process of a rank of what was started in a session's folder.
    fn pid_of(session: &Session, rank: usize) -> String {
        let wanted = format!("OMPI_COMM_WORLD_RANK={rank}");
        let folder = session.path("").canonicalize().unwrap();
        let is_it = |process: &Path| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0);
            variables.any(|variable| variable == wanted.as_bytes())
                && fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder)
        };
        let mut processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let found = processes.find(|path| is_it(path)).expect("the process");
        found.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn signal(name: &str, pid: &str) {
        assert!(Command::new("kill").args(["-s", name, pid]).status().unwrap().success());
    }

    #[test]
    fn two_processes_train_and_measure_as_one_does() {
        let session = session();
        let command = ["train", "recipe.toml", "--set", SHORT];
        let train = |processes, out: &str| {
            succeed(&session, processes, &[&command[..], &["--out", out]].concat())
        };
        let [one, two] = [1, 2].map(|processes| train(processes, &format!("run{processes}")));
        assert!(two[1].contains("in each of 2 processes"), "{}", two[1]);
        assert_eq!(line(&one[1], "weights"), line(&two[1], "weights"));
        let metrics = |run: &str| {
            let text = fs::read_to_string(session.path(run).join("metrics.jsonl")).unwrap();
            let cut = |line: &str| line[line.find(",\"step\":").unwrap()..].to_owned();
            text.lines().map(cut).collect::<Vec<_>>()
        };
        assert_eq!(metrics("run1"), metrics("run2"));
        let eval = ["eval", "run1", "--data", "data", "--json", "--save-outputs"];
        let measure = |processes, file| {
            let [json, _] = succeed(&session, processes, &[&eval[..], &[file]].concat());
            let mut json: serde_json::Value = serde_json::from_str(&json).unwrap();
            json["puzzles_per_second"] = 0.into();
            json["evaluation"]["seconds"] = 0.into();
            (json, fs::read(session.path(file)).unwrap())
        };
        assert_eq!(measure(1, "one.safetensors"), measure(3, "three.safetensors"));
    }

    #[test]
    fn a_killed_process_ends_all_and_the_run_goes_on_with_another_number() {
        let session = session();
        let child = under_way(&session, 2);
        let began = Instant::now();
        signal("KILL", &pid_of(&session, 1));
        let [_, error] = said(child.wait_with_output().unwrap(), None);
        assert!(began.elapsed() < Duration::from_secs(60));
        assert!(error.contains("rank 1") && error.contains("signal 9"), "{error}");
        let resumed = ["train", "--resume", "run", "--set", "train.steps=200"];
        let [_, one] = succeed(&session, 1, &resumed);
        let whole = ["train", "recipe.toml", "--out", "whole", "--set", "train.steps=200"];
        let [_, two] = succeed(&session, 2, &whole);
        assert_eq!(line(&one, "weights"), line(&two, "weights"));
    }

    #[test]
    fn a_process_that_stalls_ends_all_within_a_minute_and_is_named() {
        let session = session();
        let child = under_way(&session, 3);
        let (began, stalled) = (Instant::now(), pid_of(&session, 2));
        signal("STOP", &stalled);
        let [_, error] = said(child.wait_with_output().unwrap(), Some(1));
        assert!(began.elapsed() < Duration::from_secs(60));
        assert!(line(&error, "error: ").contains("rank 2 on "), "{error}");
    }

    #[test]
    fn a_signal_before_the_limit_writes_one_checkpoint_and_ends_all() {
        let session = session();
        for name in ["USR1", "INT"] {
            let child = under_way(&session, 2);
            signal(name, &child.id().to_string());
            let [_, error] = said(child.wait_with_output().unwrap(), None);
            let step = line(&error, "interrupted at step").split(' ').nth(3).unwrap();
            assert!(session.path("run/checkpoints").join(format!("step-{step}")).exists());
            fs::remove_dir_all(session.path("run")).unwrap();
        }
    }

    /// A command of Slurm, as its script calls it.
    fn pretend(session: &Session, name: &str, text: &str) {
        fs::create_dir_all(session.path("bin")).unwrap();
        session.write(&format!("bin/{name}"), &format!("#!/bin/bash\n{text}\n"));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(session.path("bin").join(name), mode).unwrap();
    }

    /// The job script, with `mpirun` in the place of `srun`.
    fn job(session: &Session) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/slurm.sbatch");
        assert!(Command::new("bash").arg("-n").arg(&script).status().unwrap().success());
        let path = format!("{}:{}", session.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.arg(script).args(["recipe.toml", "run"]).current_dir(session.path(""));
        command.env("PATH", path).env("SLURM_JOB_ID", "77").env("SLURM_CPUS_PER_TASK", "1");
        command.envs(OPEN_MPI);
        command
    }

    #[test]
    fn a_job_of_slurm_is_queued_again_until_the_run_is_done() {
        let session = session();
        session.write("recipe.toml", &RECIPE.replace("steps = 6", "steps = 1000000"));
        pretend(&session, "trm", &format!("exec {} \"$@\"", env!("CARGO_BIN_EXE_trm")));
        pretend(&session, "scontrol", "echo $@ >> queued");
        let launch = "exec mpirun --oversubscribe --bind-to none -n 2 \"$@\"";
        pretend(&session, "srun", &format!("while [[ $1 == --* ]]; do shift; done\n{launch}"));
        let first = job(&session).stderr(Stdio::piped()).spawn().unwrap();
        let queued = || fs::read_to_string(session.path("queued")).unwrap_or_default();
        wait_for(&session, "run/checkpoints");
        signal("USR1", &pid_of(&session, 1));
        let [_, error] = said(first.wait_with_output().unwrap(), Some(130));
        assert!(error.contains("interrupted at step") && queued() == "requeue 77\n", "{error}");
        let text = fs::read_to_string(session.path("run/recipe.toml")).unwrap();
        session.write("run/recipe.toml", &text.replace("steps = 1000000", "steps = 6"));
        let [_, error] = said(job(&session).output().unwrap(), Some(0));
        assert!(error.contains("all steps taken") && queued() == "requeue 77\n", "{error}");
    }

    #[test]
    fn a_process_with_another_recipe_ends_all_with_one_line() {
        let session = session();
        session.write("other.toml", &RECIPE.replace("seed = 1", "seed = 2"));
        let trm = env!("CARGO_BIN_EXE_trm");
        let mut command = mpirun(&session, 1, &["train", "recipe.toml", "--out", "run"]);
        let other = [":", "-n", "1", trm, "train", "other.toml", "--out", "run", "--threads", "1"];
        let [_, error] = said(command.args(other).output().unwrap(), Some(2));
        let error = line(&error, "error: ");
        assert!(
            error.contains("rank 1 on ") && error.contains("the recipe (its digest)"),
            "{error}"
        );
        let portable = ["-x", "TRM_CPU=portable", trm, "train", "recipe.toml", "--out", "run"];
        let mut command = mpirun(&session, 1, &["train", "recipe.toml", "--out", "run"]);
        command.args([":", "-n", "1"]).args(portable);
        let [_, error] = said(command.output().unwrap(), Some(2));
        assert!(line(&error, "error: ").contains("rank 1 on ") && error.contains("what computes"));
        assert!(!session.path("run").exists());
        let output = mpirun(&session, 2, &["train", "nothing.toml"]).output().unwrap();
        assert!(line(&said(output, Some(1))[1], "error: ").contains("cannot read nothing.toml"));
        let output = mpirun(&session, 2, &["solve", "run", "x"]).output().unwrap();
        assert!(line(&said(output, Some(2))[1], "error: ").contains("start one"));
    }
}
