//! `trm serve`: solvers behind a URL, and a page.

use crate::Outcome;
use crate::interrupt::stoppable;
use crate::machine::{DeviceArguments, PrecisionArgument};
use crate::output::note;
use crate::referee::RefereeArguments;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use trm_data::{AnyModel, HubName, RefereeCommand, SHIPPED, Shipped, load_any};
use trm_ops::Device;
use trm_puzzles::Domain;
use trm_serve::{Log, Named, Server, Settings};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Model folders, or run folders (their best models). A model is called as its folder, or as NAME where it is
    /// given as NAME=FOLDER. A request that names no model gets the first for puzzles of its form. Without MODEL,
    /// the models that come with this program are served: 9×9 Sudoku and mazes; with --referee the first alone.
    #[arg(value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// The address to listen at; 0.0.0.0 for all that this machine has.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: IpAddr,
    /// The port to listen at; 0 for any that is free.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Puzzles (or chains of a search) of a model at a time.
    #[arg(long, default_value_t = Settings::default().batch, value_name = "N")]
    batch: usize,
    /// Puzzles that wait or are thought about, at most; more are refused with 429.
    #[arg(long, default_value_t = Settings::default().queue, value_name = "N")]
    queue: usize,
    /// Cells of a puzzle, at most, unless it has the model's own size: memory grows with them.
    #[arg(long, default_value_t = Settings::default().cells, value_name = "N")]
    most_cells: usize,
    /// Supervision steps of a chain that a request may ask for.
    #[arg(long, default_value_t = Settings::default().steps, value_name = "N")]
    most_steps: usize,
    /// Seconds that a request is searched for, at most.
    #[arg(long, default_value_t = Settings::default().time.as_secs(), value_name = "S")]
    most_seconds: u64,
    /// Requests must bring this key as `Authorization: Bearer KEY`; better set TRM_SERVE_KEY, which other users of
    /// the machine cannot see. The page and /health are open.
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// The origin of pages that may ask from browsers, such as `https://example.org`, or `*` for all.
    #[arg(long, value_name = "ORIGIN")]
    cors: Option<String>,
    /// Seconds to answer what has been asked after SIGTERM or Ctrl-C.
    #[arg(long, default_value_t = 30, value_name = "S")]
    patience: u64,
    /// The form of the log, on standard error; RUST_LOG chooses what is logged.
    #[arg(long, value_enum, default_value = "text")]
    log: LogArgument,
    /// Number format of activations.
    #[arg(long, value_enum, default_value = "auto")]
    precision: PrecisionArgument,
    #[command(flatten)]
    refereeing: RefereeArguments,
    #[command(flatten)]
    machine: DeviceArguments,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogArgument {
    /// Lines for people.
    Text,
    /// An object of JSON on every line.
    Json,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    if arguments.batch == 0 || arguments.queue == 0 {
        bail!("--batch and --queue must be at least 1");
    }
    let device = arguments.machine.device()?;
    let server = Server::new(models(arguments, &device)?, settings(arguments)?);
    let server = server.map_err(anyhow::Error::msg)?;
    trm_serve::log(match arguments.log {
        LogArgument::Text => Log::Text,
        LogArgument::Json => Log::Json,
    });
    let address = SocketAddr::new(arguments.host, arguments.port);
    let patience = Duration::from_secs(arguments.patience);
    let ready = |address| note!("listening at http://{address}/");
    stoppable("ending: what has been asked is answered (again to end now)", |stop| {
        trm_serve::run(server, address, patience, stop, ready)
    })?
    .with_context(|| format!("{address}: cannot be listened at"))?;
    Ok(Outcome::Done)
}

/// The models, the one of a referee judged by it.
fn models(arguments: &Arguments, device: &Device) -> Result<Vec<Named>> {
    let referee = arguments.refereeing.command(&[], device.threads())?;
    let models = match arguments.models.is_empty() {
        true => shipped(if referee.is_some() { 1 } else { SHIPPED.len() }, device)?,
        false => given(&arguments.models, device)?,
    };
    if referee.is_some() && models.len() > 1 {
        bail!("--referee judges the puzzles of one model: serve one, or leave it out");
    }
    referee.as_ref().map(RefereeCommand::check).transpose()?;
    let dtype = arguments.precision.on(device)?;
    let named = |(name, model): (String, AnyModel)| {
        let judged = match &referee {
            Some(command) => Some(command.start(&model.domain().parse::<Domain>()?)?),
            None => None,
        };
        Ok(Named { name, model, judged, dtype })
    };
    models.into_iter().map(named).collect()
}

/// The first so many of the models that come with this program.
fn shipped(count: usize, device: &Device) -> Result<Vec<(String, AnyModel)>> {
    let load = |shipped: &Shipped| {
        Ok((shipped.name.to_owned(), AnyModel::Recursive(shipped.load(device)?)))
    };
    SHIPPED[..count].iter().map(load).collect()
}

/// The models of these folders, or of NAME=FOLDER.
fn given(models: &[PathBuf], device: &Device) -> Result<Vec<(String, AnyModel)>> {
    let load = |argument: &PathBuf| {
        let (given, folder) = given_name(argument);
        let model = load_any(folder, device)?;
        Ok((given.map_or_else(|| folder_name(folder), Ok)?, model))
    };
    models.iter().map(load).collect()
}

/// NAME and FOLDER of `NAME=FOLDER`, unless there is a folder that is called so.
fn given_name(argument: &Path) -> (Option<String>, &Path) {
    match argument.to_str().and_then(|text| text.split_once('=')) {
        Some((name, folder)) if !name.is_empty() && !name.contains('/') && !argument.exists() => {
            (Some(name.into()), Path::new(folder))
        }
        _ => (None, argument),
    }
}

/// The name of a folder, whatever the way to it looks like, or of a model of the hub.
pub(crate) fn folder_name(folder: &Path) -> Result<String> {
    if let Some(name) = folder.to_str().and_then(HubName::parse) {
        return Ok(name?.short().to_owned());
    }
    let whole = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let name = whole.file_name().context("a model needs a name: serve a folder")?;
    Ok(name.to_string_lossy().into_owned())
}

fn settings(arguments: &Arguments) -> Result<Settings> {
    let from_environment = || std::env::var("TRM_SERVE_KEY").ok();
    let api_key = arguments.api_key.clone().or_else(from_environment);
    if api_key.as_ref().is_some_and(|key| key.trim().is_empty()) {
        bail!("the key is empty: nobody could ask; leave it out, or give one");
    }
    Ok(Settings {
        batch: arguments.batch,
        queue: arguments.queue,
        cells: arguments.most_cells,
        steps: arguments.most_steps,
        time: Duration::from_secs(arguments.most_seconds),
        api_key,
        cors: arguments.cors.clone(),
        ..Settings::default()
    })
}
