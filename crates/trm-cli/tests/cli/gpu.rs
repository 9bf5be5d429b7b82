//! Devices at the command line.

use crate::session::Session;

/// Whether a GPU, or a driver that says that it is one, can be tested here.
#[cfg(feature = "gpu")]
fn has_gpu() -> bool {
    let found = !trm_gpu::Adapter::all().is_empty();
    if !found {
        eprintln!("SKIPPED: no GPU, and no software driver of one");
    }
    found
}

#[test]
fn devices_are_listed_as_they_are_named() {
    let listed = Session::new().succeed(&["devices", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["device"], "cpu");
    let gpus = listed.as_array().unwrap().iter().skip(1).enumerate();
    for (i, gpu) in gpus {
        assert_eq!(gpu["device"], format!("gpu:{i}"));
        assert!(gpu["formats"][0] == "f32" && gpu["binding_bytes"].as_u64() > Some(0), "{gpu}");
    }
}

#[test]
fn a_device_that_is_not_there_or_has_no_such_format_is_refused_in_one_line() {
    let session = Session::new();
    let puzzle =
        "..8.2...3.6....2..1.....64....9.3.....7....3.6..5..8.2.4...8..7..6.473.....6.....";
    let error = session.refuse(&["solve", puzzle, "--device", "gpu:99"], 1);
    #[cfg(feature = "gpu")]
    assert!(error.contains("GPU"), "{error}");
    #[cfg(not(feature = "gpu"))]
    assert!(
        error.contains("built without GPUs: cargo install") && error.contains("--device cpu"),
        "{error}"
    );
    let error = session.refuse(&["solve", puzzle, "--precision", "f16"], 2);
    assert!(error.contains("does not compute in f16: give --precision f32 or bf16"), "{error}");
    let output = session.run(&["solve", puzzle, "--device", "cuda"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && text.contains("not auto, cpu, gpu or gpu:N"),
        "{text}"
    );
}

#[cfg(feature = "gpu")]
#[test]
fn a_model_trains_evaluates_and_solves_on_a_gpu_and_gives_the_drafts_of_the_cpu() {
    if !has_gpu() {
        return;
    }
    use crate::session::PUZZLE;
    let session = Session::new();
    session.trained();
    let eval = |device: &str, precision: &str| -> serde_json::Value {
        let mut command =
            session.command(&["eval", "run", "--data", "data", "--json", "--precision", precision]);
        let output = command.env("TRM_DEVICE", device).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    };
    let (cpu, gpu) = (eval("cpu", "f32"), eval("gpu", "f32"));
    assert!(cpu["device"] == "cpu" && gpu["device"].as_str().unwrap().starts_with("gpu("));
    let cells =
        |json: &serde_json::Value| json["evaluation"]["steps"][0]["cells"].as_f64().unwrap();
    assert!((cells(&cpu) - cells(&gpu)).abs() < 0.005, "{cpu} {gpu}");

    session.succeed(&["train", "recipe.toml", "--out", "on-gpu", "--device", "gpu:0"]);
    let provenance = std::fs::read_to_string(session.path("on-gpu/best/provenance.json")).unwrap();
    assert!(provenance.contains("\"device\": \"gpu("), "{provenance}");
    let report = std::fs::read_to_string(session.path("on-gpu/report.html")).unwrap();
    assert!(report.contains("gpu("));
    let drafts = |device: &str| {
        let solve = [
            "solve",
            "on-gpu",
            PUZZLE,
            "--one-pass",
            "--json",
            "--precision",
            "f32",
            "--device",
            device,
        ];
        String::from_utf8(session.run(&solve).stdout).unwrap()
    };
    let answer =
        |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap()["answer"].clone();
    assert_eq!(answer(&drafts("gpu")), answer(&drafts("cpu")));
}
