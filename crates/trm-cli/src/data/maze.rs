//! `trm data maze`.

use crate::progress::Progress;
use crate::team::team;
use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use trm_data::{Mazes, Pieces, Splits, generate_mazes_in_team, mazes_from_csv, pieces_of_mazes};
use trm_puzzles::maze::{Law, Size};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Columns and rows.
    #[arg(long, default_value_t = 30, conflicts_with = "csv")]
    size: usize,
    /// Rows, where they are not as many as columns.
    #[arg(long, conflicts_with = "csv")]
    height: Option<usize>,
    /// Training mazes to generate.
    #[arg(long, default_value_t = 1000, conflicts_with = "csv")]
    train: usize,
    /// Test mazes to generate, or to split off from --csv where there is no --test-csv.
    #[arg(long, default_value_t = 1000, conflicts_with = "test_csv")]
    test: usize,
    /// Share of the cells that are walls, at least and at most: all between are equally frequent before
    /// mazes with short paths are refused. With fewer or more than by default no path of Maze-Hard is long
    /// enough.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"], default_values_t = [0.27, 0.46], conflicts_with = "csv")]
    walls: Vec<f64>,
    /// Cells of the shortest path, both ends counted, at least (default: 11/3 of the longer side, which are
    /// the 110 of Maze-Hard for a side of 30; 3/2 of it with --pieces-of).
    #[arg(long, value_name = "CELLS", conflicts_with = "csv")]
    path: Option<usize>,
    /// Cut the mazes out of those of this file instead of generating them: a window of --size, and the stretch of the
    /// recorded path in it, of at least --path cells. A few large mazes give many small ones to begin with.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["csv", "walls"])]
    pieces_of: Option<PathBuf>,
    /// Read training mazes from this file instead of generating them.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Read test mazes from this file; none of them, turned or not, will be trained on.
    #[arg(long, value_name = "FILE", requires = "csv")]
    test_csv: Option<PathBuf>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
}

impl Arguments {
    pub(super) fn out(&self) -> &Path {
        &self.out
    }
}

pub(super) fn splits(arguments: &Arguments) -> Result<Splits> {
    if let Some(csv) = &arguments.csv {
        let split = (arguments.test, arguments.seed);
        return Ok(mazes_from_csv(csv, arguments.test_csv.as_deref(), split)?);
    }
    let (width, height) = (arguments.size, arguments.height.unwrap_or(arguments.size));
    if !(Size { width, height }).is_possible() {
        bail!("{width}×{height}: mazes have room for both ends and sides of at most {}", Size::MAX);
    }
    if arguments.train == 0 || arguments.test == 0 {
        bail!("--train and --test must be at least 1");
    }
    let size = Size { width, height };
    let mut bar = Progress::new("mazes", (arguments.train + arguments.test) as u64);
    let mut progress = |done| bar.set_position(done as u64);
    let splits = match &arguments.pieces_of {
        Some(file) => pieces_of_mazes(file, &pieces(arguments, size), &mut progress)?,
        None => generate_mazes_in_team(&team(), &generated(arguments, size)?, &mut progress)?,
    };
    bar.finish();
    Ok(splits)
}

fn pieces(arguments: &Arguments, size: Size) -> Pieces {
    let path = arguments.path.unwrap_or(size.width.max(size.height) * 3 / 2);
    Pieces { size, path, train: arguments.train, test: arguments.test, seed: arguments.seed }
}

fn generated(arguments: &Arguments, Size { width, height }: Size) -> Result<Mazes> {
    let &[from, to] = &arguments.walls[..] else { bail!("--walls takes two numbers") };
    if !(0.0 <= from && from <= to && to < 1.0) {
        bail!("--walls {from} {to}: two rising shares from 0 to below 1");
    }
    let cells = width * height;
    let walls = (from * cells as f64).round() as usize..=(to * cells as f64).round() as usize;
    let path = arguments.path.unwrap_or(width.max(height) * 11 / 3);
    let law = Law { width, height, walls, path };
    Ok(Mazes { law, train: arguments.train, test: arguments.test, seed: arguments.seed })
}
