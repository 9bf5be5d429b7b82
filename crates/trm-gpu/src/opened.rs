//! A device that was started: what waits to be run, what runs, and what went wrong.

use crate::Adapter;
use crate::buffers::{Buffer, Pool};
use crate::gpu::{Counting, Limits};
use crate::programs::Programs;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use trm_ops::{DeviceError, Rope};

/// Launches after which what was recorded begins to run.
const LAUNCHES: usize = 128;
/// Recordings that may wait for the device at a time.
const WAITING: usize = 4;
/// Tables of angles that are kept.
const TABLES: usize = 8;
/// Bytes that are written or read at a time.
const PIECE: usize = 64 << 20;

pub(crate) struct Opened {
    raw: wgpu::Device,
    queue: wgpu::Queue,
    limits: Limits,
    pub(crate) pool: Arc<Pool>,
    pub(crate) programs: Programs,
    /// Tables of angles that were sent, the newest last.
    turns: Mutex<Vec<(Rope, Arc<Buffer>)>>,
    work: Mutex<Work>,
    fault: Arc<Mutex<Option<DeviceError>>>,
}

#[derive(Default)]
struct Work {
    recording: Option<Recording>,
    running: VecDeque<wgpu::SubmissionIndex>,
}

struct Recording {
    encoder: wgpu::CommandEncoder,
    pass: wgpu::ComputePass<'static>,
    launches: usize,
}

/// One launch, ready to be recorded.
pub(crate) struct Launch<'a> {
    pub(crate) pipeline: &'a wgpu::ComputePipeline,
    pub(crate) bound: &'a wgpu::BindGroup,
    pub(crate) numbers: &'a [u32],
    pub(crate) groups: [u32; 2],
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Opened {
    pub(crate) fn new(adapter: &Adapter, limits: Limits) -> Result<Opened, DeviceError> {
        let (raw, queue) = adapter.open()?;
        let fault = Arc::new(Mutex::new(None));
        let (of_error, of_loss) = (first_fault(&fault), first_fault(&fault));
        raw.on_uncaptured_error(Arc::new(move |error| {
            of_error(format!("the GPU refuses: {error}"))
        }));
        raw.set_device_lost_callback(move |_, why| of_loss(format!("the GPU was lost: {why}")));
        Ok(Opened {
            pool: Pool::new(&raw, limits.buffer),
            programs: Programs::new(&raw, limits.mutant),
            limits,
            raw,
            queue,
            turns: Mutex::default(),
            work: Mutex::default(),
            fault,
        })
    }

    /// What went wrong first, if anything did.
    pub(crate) fn fault(&self) -> Option<DeviceError> {
        lock(&self.fault).clone()
    }

    fn fail(&self, error: DeviceError) {
        lock(&self.fault).get_or_insert(error);
    }

    /// Gives the device up, as when its driver is lost.
    pub(crate) fn lose(&self) {
        self.raw.destroy();
        self.fail(DeviceError("the GPU was lost: it was given up".into()));
    }

    /// A buffer of arbitrary contents. Without memory it is a small one, and the device has a fault: nothing is
    /// computed any more.
    pub(crate) fn buffer(&self, bytes: u64) -> Buffer {
        let taken = self.pool.take(bytes).or_else(|_| {
            // what idle buffers were last used for has to be done before they are free
            let mut work = lock(&self.work);
            self.send(&mut work);
            self.settle(&mut work, 0);
            self.pool.give_up_idle();
            drop(work);
            self.pool.take(bytes)
        });
        taken.unwrap_or_else(|error| {
            self.fail(error);
            self.pool.nothing()
        })
    }

    /// A table of angles, sent once.
    pub(crate) fn turns(&self, rope: &Rope) -> Arc<Buffer> {
        let mut known = lock(&self.turns);
        if let Some((_, table)) = known.iter().find(|(other, _)| other.is(rope)) {
            return table.clone();
        }
        let values = rope.table();
        let table = Arc::new(self.buffer(4 * values.len() as u64));
        self.write(&table, bytemuck::cast_slice(&values));
        if known.len() == TABLES {
            known.remove(0);
        }
        known.push((rope.clone(), table.clone()));
        table
    }

    /// Writes into a buffer that nothing is recorded for but what comes later: writing happens before the next
    /// recording runs, so what is recorded is sent off first.
    pub(crate) fn write(&self, buffer: &Buffer, bytes: &[u8]) {
        if self.fault().is_some() {
            return;
        }
        let mut work = lock(&self.work);
        self.send(&mut work);
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            match piece.len() % 4 {
                0 => self.queue.write_buffer(&buffer.raw, (i * PIECE) as u64, piece),
                more => {
                    let padded = [piece, &[0; 4][more..]].concat();
                    self.queue.write_buffer(&buffer.raw, (i * PIECE) as u64, &padded);
                }
            }
            if bytes.len() > PIECE {
                work.running.push_back(self.queue.submit([])); // lets its copy go
                self.settle(&mut work, 0);
            }
        }
    }

    /// What a program is bound to: buffers from a byte on, so many.
    pub(crate) fn bind(
        &self,
        layout: &wgpu::BindGroupLayout,
        parts: &[(&Buffer, u64, u64)],
    ) -> wgpu::BindGroup {
        let mut entries = Vec::new();
        for (binding, (buffer, offset, size)) in (0..).zip(parts) {
            let size = std::num::NonZeroU64::new(size.next_multiple_of(4).max(4));
            let part = wgpu::BufferBinding { buffer: &buffer.raw, offset: *offset, size };
            entries.push(wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(part),
            });
        }
        self.raw.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout,
            entries: &entries,
        })
    }

    /// Records a launch; where seconds are counted, waits for it.
    pub(crate) fn launch(&self, launch: &Launch<'_>) {
        let mut work = lock(&self.work);
        let recording = work.recording.get_or_insert_with(|| {
            let mut encoder =
                self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let pass = encoder
                .begin_compute_pass(&wgpu::ComputePassDescriptor::default())
                .forget_lifetime();
            Recording { encoder, pass, launches: 0 }
        });
        recording.pass.set_pipeline(launch.pipeline);
        recording.pass.set_bind_group(0, launch.bound, &[]);
        recording.pass.set_immediates(0, bytemuck::cast_slice(launch.numbers));
        recording.pass.dispatch_workgroups(launch.groups[0], launch.groups[1], 1);
        recording.launches += 1;
        let waits = self.limits.counting == Counting::Seconds;
        if waits || recording.launches >= LAUNCHES {
            self.send(&mut work);
        }
        if waits {
            self.settle(&mut work, 0);
        }
    }

    /// Lets what is recorded run.
    fn send(&self, work: &mut Work) {
        let Some(Recording { encoder, pass, .. }) = work.recording.take() else { return };
        drop(pass); // ends it
        work.running.push_back(self.queue.submit([encoder.finish()]));
        self.settle(work, WAITING);
    }

    /// Waits until no more than `left` recordings run.
    fn settle(&self, work: &mut Work, left: usize) {
        while work.running.len() > left {
            let oldest = work.running.pop_front();
            let wait = wgpu::PollType::Wait {
                submission_index: oldest,
                timeout: Some(self.limits.patience),
            };
            // a device that is lost while it is waited for makes wgpu panic; its callback has told of it by then
            let answer = catch_unwind(AssertUnwindSafe(|| self.raw.poll(wait)));
            let Err(error) = answer.unwrap_or(Err(wgpu::PollError::WrongSubmissionIndex(0, 0)))
            else {
                continue;
            };
            work.running.clear();
            self.fail(no_answer(&error, self.limits.patience));
            // dropped, they would wait for the device once more, without an end
            std::mem::forget((self.raw.clone(), self.queue.clone()));
        }
    }

    /// The first bytes of a buffer, after all that is recorded.
    ///
    /// # Errors
    /// If the device has a fault.
    pub(crate) fn read(&self, buffer: &Buffer, bytes: usize) -> Result<Vec<u8>, DeviceError> {
        let mut all = Vec::with_capacity(bytes);
        for first in (0..bytes).step_by(PIECE) {
            self.read_piece(buffer, first, PIECE.min(bytes - first), &mut all)?;
        }
        Ok(all)
    }

    fn read_piece(
        &self,
        buffer: &Buffer,
        first: usize,
        len: usize,
        all: &mut Vec<u8>,
    ) -> Result<(), DeviceError> {
        let size = len.next_multiple_of(4) as u64;
        if !buffer.is_of(&self.pool) {
            return Err(DeviceError("the GPU was lost, and this tensor with it".into()));
        }
        let mut work = lock(&self.work);
        self.fault().map_or(Ok(()), Err)?;
        self.send(&mut work);
        let copy = self.raw.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder =
            self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&buffer.raw, first as u64, &copy, 0, size);
        work.running.push_back(self.queue.submit([encoder.finish()]));
        copy.map_async(wgpu::MapMode::Read, .., |_| ()); // that it failed shows when it is looked at
        self.settle(&mut work, 0);
        self.fault().map_or(Ok(()), Err)?;
        let seen = copy.get_mapped_range(..);
        let seen =
            seen.map_err(|error| DeviceError(format!("the GPU gives nothing back: {error}")))?;
        all.extend_from_slice(&seen[..len]);
        Ok(())
    }
}

/// Keeps the first message.
fn first_fault(fault: &Arc<Mutex<Option<DeviceError>>>) -> impl Fn(String) + Send + Sync + 'static {
    let fault = fault.clone();
    move |message| {
        lock(&fault).get_or_insert(DeviceError(message));
    }
}

/// What waiting in vain says.
fn no_answer(error: &wgpu::PollError, patience: Duration) -> DeviceError {
    DeviceError(match error {
        wgpu::PollError::Timeout => format!(
            "the GPU has not answered for {} s: its driver hangs, or TRM_GPU_PATIENCE is too short",
            patience.as_secs()
        ),
        other => format!("the GPU does not answer: {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A software driver computes before it answers: there it cannot be made to hang.
    #[test]
    fn a_driver_that_hangs_is_named() {
        let error = no_answer(&wgpu::PollError::Timeout, Duration::from_secs(7)).to_string();
        assert!(error.starts_with("the GPU has not answered for 7 s: its driver hangs"), "{error}");
    }
}
