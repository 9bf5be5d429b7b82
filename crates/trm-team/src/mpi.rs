//! Processes that `mpirun` or `srun` has started, over MPI.

use crate::{Link, Team};
use mpi::Threading;
use mpi::environment::Universe;
use mpi::request::{RequestCollection, StaticScope, multiple_scope};
use mpi::topology::{Communicator, Process, SimpleCommunicator};
use mpi::traits::{CommunicatorCollectives, Destination, Source};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

/// Keeps MPI until it is dropped, which all processes must do together.
pub struct Launched(#[allow(dead_code, reason = "dropping it ends MPI")] Universe);

/// How long others are waited for in a step, at least; twice the longest wait so far comes to it.
const STEP: Duration = Duration::from_secs(30);
/// And before the first step, where every process reads its data.
const DATA_READ: Duration = Duration::from_secs(600);
/// How long answers of others that wait too are waited for.
const ANSWER: Duration = Duration::from_secs(6);
/// Time between two messages that say the same.
const AGAIN: Duration = Duration::from_secs(2);
/// A pause between two looks that this process did not make itself.
const AWAY: Duration = Duration::from_secs(5);
/// No message is longer: MPI counts with 31 bits.
const LONGEST: usize = 1 << 30;

/// Of messages that are wanted.
const DATA: i32 = 1;
/// Of processes that wait, where one has waited for too long.
const WAITING: i32 = 2;
/// Of a process that is at work on its own, with files.
const BUSY: i32 = 3;

/// Starts MPI and gives this process among its team. `told` gets the one line that is said before the whole team is
/// ended because one of its processes no longer answers.
///
/// # Errors
/// If MPI has been started before, or does not let several threads send one after the other.
pub fn start(told: impl Fn(&str) + Send + Sync + 'static) -> Result<(Launched, Team), String> {
    let (universe, threading) = mpi::initialize_with_threading(Threading::Multiple)
        .ok_or("MPI has been started already")?;
    if threading < Threading::Serialized {
        return Err(format!(
            "this MPI gives threads no more than {threading:?}: use another build of it"
        ));
    }
    let world = universe.world();
    let mut link = Mpi {
        rank: rank(world.rank()),
        size: rank(world.size()),
        hosts: Vec::new(),
        longest: Mutex::default(),
        told: Box::new(told),
    };
    let host =
        mpi::environment::processor_name().unwrap_or_else(|_| "a machine without a name".into());
    let hosts = link.gather(host.as_bytes());
    link.hosts = hosts.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let team = if link.size == 1 { Team::alone() } else { Team::new(link) };
    Ok((Launched(universe), team))
}

struct Mpi {
    rank: usize,
    size: usize,
    hosts: Vec<String>,
    /// The longest wait of a step so far.
    longest: Mutex<Duration>,
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
    /// After `limit` the whole team is ended.
    fn until(&self, limit: Duration, mut done: impl FnMut() -> bool) {
        const AT_ONCE: Duration = Duration::from_millis(2);
        const PAUSE: Duration = Duration::from_micros(50);
        let started = Instant::now();
        let mut wait =
            Wait { since: started, looked: started, said: None, others: BTreeSet::new() };
        while !done() {
            if started.elapsed() < AT_ONCE {
                yield_now();
            } else {
                sleep(PAUSE);
                self.look(limit, &mut wait);
            }
        }
        if limit < DATA_READ {
            let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
            *longest = started.elapsed().max(*longest);
        }
    }

    /// How long a step may wait for others.
    fn patience(&self) -> Duration {
        STEP + 2 * *self.longest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever has waited for too long says so to all, again and again; who waits too answers. Those that do not are why.
    fn look(&self, limit: Duration, wait: &mut Wait) {
        let now = Instant::now(); // one time for all of it: the process may be stopped anywhere
        if now.duration_since(wait.looked) > AWAY {
            wait.since = now; // it was
        }
        wait.looked = now;
        let world = world();
        for tag in [WAITING, BUSY] {
            while let Some(status) = world.any_process().immediate_probe_with_tag(tag) {
                let from = status.source_rank();
                let _ = world.process_at_rank(from).receive_vec_with_tag::<u8>(tag);
                match wait.said {
                    None => {} // left over from an earlier wait
                    Some(_) if tag == BUSY => wait.since = now,
                    Some(_) => drop(wait.others.insert(rank(from))),
                }
            }
        }
        let (waited, said) = (now.duration_since(wait.since), *wait.said.get_or_insert(wait.since));
        let late = waited > limit;
        if (late || !wait.others.is_empty()) && now.duration_since(said) > AGAIN {
            wait.said = Some(now);
            self.tell(WAITING);
        }
        if waited > limit + ANSWER {
            wait.others.insert(self.rank);
            self.give_up(&wait.others, waited);
        }
    }

    /// Sends an empty message to all others, and does not wait until they have it.
    fn tell(&self, tag: i32) {
        const NOTHING: &[u8] = &[];
        let world = world();
        for other in (0..self.size).filter(|other| *other != self.rank) {
            let other = process(&world, other);
            std::mem::forget(other.immediate_send_with_tag(StaticScope, NOTHING, tag));
        }
    }

    /// Ends all processes; the first one that waits says which do not.
    fn give_up(&self, waiting: &BTreeSet<usize>, elapsed: Duration) -> ! {
        if waiting.first() != Some(&self.rank) {
            sleep(2 * ANSWER); // another one speaks
        } else {
            let silent = (0..self.size).filter(|rank| !waiting.contains(rank));
            let names: Vec<String> =
                silent.map(|rank| format!("rank {rank} on {}", self.hosts[rank])).collect();
            let seconds = elapsed.as_secs();
            let names = names.join(", ");
            (self.told)(&format!(
                "{names} has not answered for {seconds} s: it was stopped, hangs or lost its network; go on with --resume"
            ));
        }
        world().abort(1)
    }
}

/// A wait for others.
struct Wait {
    /// Since when; from its last sign of life on, where another process is busy.
    since: Instant,
    /// When this process last looked.
    looked: Instant,
    /// When this process last said that it waits, or began to hear.
    said: Option<Instant>,
    /// Who waits too.
    others: BTreeSet<usize>,
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

    fn gather(&self, mine: &[u8]) -> Vec<Vec<u8>> {
        let world = world();
        let (own, mut lengths) =
            (i32::try_from(mine.len()).expect("a short message"), vec![0; self.size]);
        mpi::request::scope(|scope| {
            let mut request = Some(world.immediate_all_gather_into(scope, &own, &mut lengths[..]));
            self.until(self.patience(), || is_done(&mut request));
        });
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
            self.until(self.patience(), || is_done(&mut request));
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
                self.until(self.patience(), || requests.test_all(&mut done));
            },
        );
    }

    fn wait(&self) {
        let mut request = Some(world().immediate_barrier());
        self.until(DATA_READ, || is_done(&mut request));
    }

    fn busy(&self) {
        self.tell(BUSY);
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
