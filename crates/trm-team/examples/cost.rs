//! What messages cost between the processes of `mpirun`: the time of a gathering of small messages and of sums of
//! several sizes, and the latency and bandwidth that explain them.
//!
//! ```text
//! cargo build --release -p trm-team --features mpi --example cost
//! mpirun -n 2 target/release/examples/cost
//! ```

use std::time::Instant;
use trm_team::{Shares, Team, mpi};

fn main() {
    let (_launched, team) = mpi::start(|line| eprintln!("{line}")).expect("MPI");
    let (processes, rounds) = (team.size(), f64::from(team.size().max(1).ilog2()));
    let gathered = median(&team, 101, &mut || drop(team.gather(&[0; 24])));
    let shares = Shares::new(processes, 1, processes).expect("a row each");
    let sizes = [1_000, 10_000, 100_000, 1_000_000, 5_000_000];
    let sums = sizes.map(|size| {
        let mut values = vec![1.0; size];
        median(&team, 11, &mut || team.sum(&shares, &mut values))
    });
    if !team.leads() {
        return;
    }
    println!("{processes} processes\ngather of 24 bytes  {:8.3} ms", 1e3 * gathered);
    for (size, seconds) in sizes.iter().zip(sums) {
        println!("sum of {size:9} values  {:8.3} ms", 1e3 * seconds);
    }
    // what a process sends, and as much receives, in a sum
    let bytes = |values: usize| 8.0 * values as f64 * (processes - 1) as f64 / processes as f64;
    let bandwidth = (bytes(sizes[4]) - bytes(sizes[2])) / (sums[4] - sums[2]);
    let latency = (sums[0] - bytes(sizes[0]) / bandwidth) / (2.0 * rounds);
    println!("a message {:.3} ms, and {:.1} MB/s", 1e3 * latency, bandwidth / 1e6);
}

/// The median time of something that all do together.
fn median(team: &Team, times: usize, work: &mut dyn FnMut()) -> f64 {
    let mut taken: Vec<f64> = (0..times)
        .map(|_| {
            team.meet();
            let started = Instant::now();
            work();
            started.elapsed().as_secs_f64()
        })
        .collect();
    taken.sort_by(f64::total_cmp);
    taken[times / 2]
}
