//! Processes that `mpirun` or `srun` has started, over MPI.

mod alive;

use crate::{Link, Team};
use alive::{Alive, Silence};
use mpi::Threading;
use mpi::environment::Universe;
use mpi::request::{RequestCollection, multiple_scope};
use mpi::topology::{Communicator, Process, SimpleCommunicator};
use mpi::traits::{CommunicatorCollectives, Destination, Source};
use std::sync::Arc;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

/// Keeps MPI until it is dropped, which all processes must do together.
pub struct Launched {
    alive: Arc<Alive>,
    _universe: Universe,
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.alive.end(); // before MPI does
    }
}

/// How long another process may give no sign of life.
const STEP: Duration = Duration::from_secs(30);
/// And before the first step, where every process reads its data and may do nothing but wait for a disk.
const DATA_READ: Duration = Duration::from_secs(600);
/// No message is longer: MPI counts with 31 bits.
const LONGEST: usize = 1 << 30;
/// Of messages that are wanted.
const DATA: i32 = 1;

/// Starts MPI and gives this process among its team. `told` gets the one line that is said before the whole team is
/// ended because one of its processes no longer answers.
///
/// # Errors
/// If MPI has been started before, or does not let several threads send at the same time.
pub fn start(told: impl Fn(&str) + Send + Sync + 'static) -> Result<(Launched, Team), String> {
    let (universe, threading) = mpi::initialize_with_threading(Threading::Multiple)
        .ok_or("MPI has been started already")?;
    if threading < Threading::Multiple {
        return Err(format!(
            "this MPI gives threads no more than {threading:?}: use another build of it"
        ));
    }
    let world = universe.world();
    let (own, size) = (rank(world.rank()), rank(world.size()));
    let alive = Alive::start(own, size);
    let told = Box::new(told);
    let mut link = Mpi { rank: own, size, hosts: Vec::new(), alive: alive.clone(), told };
    let host =
        mpi::environment::processor_name().unwrap_or_else(|_| "a machine without a name".into());
    let hosts = link.gather(host.as_bytes());
    link.hosts = hosts.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let team = if size == 1 { Team::alone() } else { Team::new(link) };
    Ok((Launched { alive, _universe: universe }, team))
}

struct Mpi {
    rank: usize,
    size: usize,
    hosts: Vec<String>,
    alive: Arc<Alive>,
    told: Box<dyn Fn(&str) + Send + Sync>,
}

fn world() -> SimpleCommunicator {
    SimpleCommunicator::world()
}

fn rank(number: i32) -> usize {
    usize::try_from(number).expect("MPI counts from 0")
}

fn process(world: &SimpleCommunicator, rank: usize) -> Process<'_> {
    world.process_at_rank(i32::try_from(rank).expect("a rank of MPI"))
}

impl Mpi {
    /// Tests until that is done: at once for a while, then in pauses, so that the processor is free for others.
    /// If another process gives no sign of life for so long, the whole team is ended.
    fn until(&self, limit: Duration, mut done: impl FnMut() -> bool) {
        const AT_ONCE: Duration = Duration::from_millis(2);
        const PAUSE: Duration = Duration::from_micros(50);
        let started = Instant::now();
        let _waiting = self.alive.waiting();
        let mut silence = Silence::new(self.size, started);
        while !done() {
            if started.elapsed() < AT_ONCE {
                yield_now();
            } else {
                sleep(PAUSE);
                if let Some((silent, speaker)) = silence.look(self.rank, limit) {
                    self.give_up(&silent, speaker == self.rank, limit);
                }
            }
        }
    }

    /// Ends all processes; one of those that wait says why.
    fn give_up(&self, silent: &[usize], speaks: bool, limit: Duration) -> ! {
        if speaks {
            let host = |rank: &usize| self.hosts.get(*rank).map_or("a machine", |name| name);
            let name = |rank| format!("rank {rank} on {}", host(rank));
            let names: Vec<String> = silent.iter().map(name).collect();
            let (names, seconds) = (names.join(", "), limit.as_secs());
            (self.told)(&format!(
                "{names} gave no sign of life for {seconds} s: it was stopped, hangs or lost its network; go on with --resume"
            ));
        } else {
            sleep(Duration::from_secs(10)); // another one speaks
        }
        world().abort(1)
    }
}

impl Link for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn host(&self) -> String {
        self.hosts[self.rank].clone()
    }

    fn beside(&self) -> usize {
        self.hosts.iter().filter(|host| **host == self.hosts[self.rank]).count()
    }

    fn gather(&self, mine: &[u8]) -> Vec<Vec<u8>> {
        let world = world();
        let (own, mut lengths) =
            (i32::try_from(mine.len()).expect("a short message"), vec![0; self.size]);
        mpi::request::scope(|scope| {
            let mut request = Some(world.immediate_all_gather_into(scope, &own, &mut lengths[..]));
            self.until(STEP, || is_done(&mut request));
        });
        let sum: i64 = lengths.iter().map(|len| i64::from(*len)).sum();
        assert!(i32::try_from(sum).is_ok(), "{sum} bytes in one gathering");
        let starts: Vec<i32> =
            lengths.iter().scan(0, |sum, len| Some(std::mem::replace(sum, *sum + len))).collect();
        let mut all = vec![0u8; lengths.iter().map(|len| rank(*len)).sum()];
        if all.is_empty() {
            return vec![Vec::new(); self.size]; // MPI has no place for nothing
        }
        let mut parts = mpi::datatype::PartitionMut::new(&mut all[..], &lengths[..], &starts[..]);
        mpi::request::scope(|scope| {
            let mut request =
                Some(world.immediate_all_gather_varcount_into(scope, mine, &mut parts));
            self.until(STEP, || is_done(&mut request));
        });
        let parts = starts.iter().zip(&lengths);
        parts.map(|(start, len)| all[rank(*start)..][..rank(*len)].to_vec()).collect()
    }

    fn exchange(&self, sent: &[(usize, &[u8])], received: &mut [(usize, &mut [u8])]) {
        let world = world();
        multiple_scope(
            sent.len() + received.len(),
            |scope, requests: &mut RequestCollection<'_, [u8]>| {
                for (rank, bytes) in received.iter_mut() {
                    for part in bytes.chunks_mut(LONGEST) {
                        let other = process(&world, *rank);
                        requests.add(other.immediate_receive_into_with_tag(scope, part, DATA));
                    }
                }
                for (rank, bytes) in sent {
                    for part in bytes.chunks(LONGEST) {
                        let other = process(&world, *rank);
                        requests.add(other.immediate_send_with_tag(scope, part, DATA));
                    }
                }
                let mut done = Vec::new();
                self.until(STEP, || requests.test_all(&mut done));
            },
        );
    }

    fn wait(&self) {
        let mut request = Some(world().immediate_barrier());
        self.until(DATA_READ, || is_done(&mut request));
    }

    fn set_busy(&self, busy: bool) {
        self.alive.set_busy(busy);
    }

    fn end(&self, code: i32) -> ! {
        world().abort(code)
    }
}

/// Whether what was begun is done.
fn is_done<'a, D: ?Sized, S: mpi::request::Scope<'a>>(
    request: &mut Option<mpi::request::Request<'a, D, S>>,
) -> bool {
    let Some(under_way) = request.take() else { return true };
    *request = under_way.test().err();
    request.is_none()
}
