//! A device: what waits to be run, what runs, and what went wrong.

use crate::Adapter;
use crate::buffers::{Buffer, Pool};
use crate::programs::Programs;
use crate::tuning::{Class, Sizes};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trm_ops::{DType, Device, DeviceError, Launches, Memory, Tensor};

/// Launches after which what was recorded begins to run.
const LAUNCHES: usize = 128;
/// Recordings that may wait for the device at a time.
const WAITING: usize = 4;
/// Bytes of a tensor that are enough work for any GPU: more puzzles at a time take more memory and save nothing.
const WIDEST: u64 = 1 << 30;
/// Bytes that are written or read at a time.
const PIECE: usize = 64 << 20;

/// What to keep within.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that one operation may see of a tensor; the device's own limit, or less, to test how tensors are split.
    pub binding: u64,
    /// How long to wait for one recording: a driver that takes longer hangs.
    pub patience: Duration,
    /// How launches are counted.
    pub counting: Counting,
    /// What sizes of work are chosen for: the device's own class, or another one, to test it.
    pub class: Class,
}

/// What is known of launches afterwards ([`trm_ops::Kernels::launches`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// How many, and the bytes that they saw.
    Launches,
    /// And their seconds: every launch is waited for, which is slow.
    Seconds,
    /// As [`Counting::Launches`], but nothing runs and nothing has memory: sizes that no machine holds can be counted.
    Dry,
}

impl Limits {
    /// Those of a device. `TRM_GPU_PATIENCE`, in seconds, says how long to wait; 300 is the default.
    pub fn of(adapter: &Adapter) -> Limits {
        let told = std::env::var("TRM_GPU_PATIENCE").ok().and_then(|seconds| seconds.parse().ok());
        let patience = Duration::from_secs(told.unwrap_or(300));
        Limits { binding: adapter.binding_limit(), patience, counting: Counting::Launches, class: Class::of(adapter) }
    }
}

/// A device that computes on a GPU.
///
/// # Errors
/// If it does not start.
pub fn open(adapter: &Adapter) -> Result<Device, DeviceError> {
    open_within(adapter, Limits::of(adapter))
}

/// [`open`] within other limits.
///
/// # Errors
/// If it does not start.
pub fn open_within(adapter: &Adapter, limits: Limits) -> Result<Device, DeviceError> {
    Ok(Device::new(Gpu::new(adapter, limits)?))
}

/// A GPU.
pub(crate) struct Gpu {
    name: String,
    raw: wgpu::Device,
    queue: wgpu::Queue,
    pub(crate) limits: Limits,
    pub(crate) alignment: u64,
    pub(crate) sizes: Sizes,
    pub(crate) f16: bool,
    /// Bytes of the largest tensor of a portion.
    pub(crate) widest_tensor: u64,
    pool: Arc<Pool>,
    pub(crate) programs: Programs,
    work: Mutex<Work>,
    launches: Mutex<BTreeMap<String, Launches>>,
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
    /// Its program, and the bytes that it sees.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) pipeline: &'a wgpu::ComputePipeline,
    pub(crate) bound: &'a wgpu::BindGroup,
    pub(crate) numbers: &'a [u32],
    pub(crate) groups: [u32; 2],
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    fn new(adapter: &Adapter, limits: Limits) -> Result<Gpu, DeviceError> {
        let (raw, queue) = adapter.open()?;
        let fault = Arc::new(Mutex::new(None));
        let first = |fault: &Arc<Mutex<Option<DeviceError>>>| {
            let fault = fault.clone();
            move |message: String| {
                lock(&fault).get_or_insert(DeviceError(message));
            }
        };
        let (of_error, of_loss) = (first(&fault), first(&fault));
        raw.on_uncaptured_error(Arc::new(move |error| of_error(format!("the GPU refuses: {error}"))));
        raw.set_device_lost_callback(move |_, why| {
            of_loss(format!("the GPU was lost: {why}; start again, on the CPU if it happens once more"));
        });
        Ok(Gpu {
            name: format!("gpu({})", adapter.name()),
            pool: Pool::new(&raw, adapter.buffer_limit()),
            programs: Programs::new(&raw),
            alignment: u64::from(raw.limits().min_storage_buffer_offset_alignment),
            sizes: limits.class.sizes(adapter.shared_limit()),
            f16: adapter.has_f16(),
            widest_tensor: adapter.buffer_limit().min(WIDEST),
            limits,
            raw,
            queue,
            work: Mutex::default(),
            launches: Mutex::default(),
            fault,
        })
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    pub(crate) fn memory(&self) -> Memory {
        self.pool.memory()
    }

    /// What went wrong first, if anything did.
    pub(crate) fn fault(&self) -> Option<DeviceError> {
        lock(&self.fault).clone()
    }

    fn fail(&self, error: DeviceError) {
        lock(&self.fault).get_or_insert(error);
    }

    /// A buffer of arbitrary contents. Without memory it is a small one, and the device has a fault: nothing is
    /// computed any more.
    pub(crate) fn buffer(&self, bytes: u64) -> Buffer {
        let bytes = if self.limits.counting == Counting::Dry { 4 } else { bytes };
        self.pool.take(bytes).unwrap_or_else(|error| {
            self.fail(error);
            self.pool.take(1).unwrap_or_else(|error| panic!("no byte is left: {error}"))
        })
    }

    /// A tensor of arbitrary contents.
    pub(crate) fn uninit(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        let bytes = shape.iter().product::<usize>() * dtype.size();
        Tensor::new(device, shape, dtype, Arc::new(self.buffer(bytes as u64)))
    }

    /// A buffer with these bytes.
    pub(crate) fn upload(&self, bytes: &[u8]) -> Buffer {
        let buffer = self.buffer(bytes.len() as u64);
        self.write(&buffer, bytes);
        buffer
    }

    /// Writes into a buffer that nothing is recorded for but what comes later: writing happens before the next
    /// recording runs, so what is recorded is sent off first.
    fn write(&self, buffer: &Buffer, bytes: &[u8]) {
        if self.fault().is_some() || self.limits.counting == Counting::Dry {
            return;
        }
        let mut work = lock(&self.work);
        self.send(&mut work);
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            let mut padded;
            let mut piece = piece;
            if !piece.len().is_multiple_of(4) {
                padded = piece.to_vec();
                padded.resize(piece.len().next_multiple_of(4), 0);
                piece = &padded;
            }
            self.queue.write_buffer(&buffer.raw, (i * PIECE) as u64, piece);
            if bytes.len() > PIECE {
                work.running.push_back(self.queue.submit([])); // lets its copy go
                self.settle(&mut work, 0);
            }
        }
    }

    /// Records a launch.
    pub(crate) fn launch(&self, launch: &Launch<'_>) {
        let started = Instant::now();
        self.record(launch);
        if self.limits.counting == Counting::Seconds {
            let mut work = lock(&self.work);
            self.send(&mut work);
            self.settle(&mut work, 0);
        }
        self.count(launch.name.clone(), launch.bytes, started.elapsed().as_secs_f64());
    }

    /// Counts what a launch multiplies.
    pub(crate) fn count_flops(&self, name: String, multiplications: usize) {
        lock(&self.launches).entry(name).or_default().flops += 2 * multiplications as u64;
    }

    /// Counts a launch.
    pub(crate) fn count(&self, name: String, bytes: u64, seconds: f64) {
        let mut launches = lock(&self.launches);
        let counted = launches.entry(name).or_default();
        counted.count += 1;
        counted.bytes += bytes;
        counted.seconds += seconds;
    }

    /// What was launched so far, by program.
    pub(crate) fn launched(&self) -> Vec<(String, Launches)> {
        lock(&self.launches).iter().map(|(name, launches)| (name.clone(), *launches)).collect()
    }

    fn record(&self, launch: &Launch<'_>) {
        let mut work = lock(&self.work);
        let recording = work.recording.get_or_insert_with(|| {
            let mut encoder = self.raw.create_command_encoder(&Default::default());
            let pass = encoder.begin_compute_pass(&Default::default()).forget_lifetime();
            Recording { encoder, pass, launches: 0 }
        });
        recording.pass.set_pipeline(launch.pipeline);
        recording.pass.set_bind_group(0, launch.bound, &[]);
        recording.pass.set_immediates(0, bytemuck::cast_slice(launch.numbers));
        recording.pass.dispatch_workgroups(launch.groups[0], launch.groups[1], 1);
        recording.launches += 1;
        if recording.launches >= LAUNCHES {
            self.send(&mut work);
        }
    }

    /// What a program is bound to: buffers from a byte on, so many.
    pub(crate) fn bind(&self, layout: &wgpu::BindGroupLayout, parts: &[(&Buffer, u64, u64)]) -> wgpu::BindGroup {
        let mut entries = Vec::new();
        for (binding, (buffer, offset, size)) in (0..).zip(parts) {
            let size = std::num::NonZeroU64::new(size.next_multiple_of(4).max(4));
            let part = wgpu::BufferBinding { buffer: &buffer.raw, offset: *offset, size };
            entries.push(wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(part) });
        }
        self.raw.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
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
            let wait = wgpu::PollType::Wait { submission_index: oldest, timeout: Some(self.limits.patience) };
            if let Err(error) = self.raw.poll(wait) {
                work.running.clear();
                self.fail(DeviceError(match error {
                    wgpu::PollError::Timeout => format!(
                        "the GPU has not answered for {} s: its driver hangs, or TRM_GPU_PATIENCE is too short",
                        self.limits.patience.as_secs()
                    ),
                    other => format!("the GPU does not answer: {other}"),
                }));
            }
        }
    }

    /// The first bytes of a buffer, after all that is recorded.
    ///
    /// # Errors
    /// If the device has a fault.
    pub(crate) fn read(&self, buffer: &Buffer, bytes: usize) -> Result<Vec<u8>, DeviceError> {
        if self.limits.counting == Counting::Dry {
            return Ok(vec![0; bytes]);
        }
        let mut all = Vec::with_capacity(bytes);
        for first in (0..bytes).step_by(PIECE) {
            self.read_piece(buffer, first, PIECE.min(bytes - first), &mut all)?;
        }
        Ok(all)
    }

    fn read_piece(&self, buffer: &Buffer, first: usize, len: usize, all: &mut Vec<u8>) -> Result<(), DeviceError> {
        let size = len.next_multiple_of(4) as u64;
        let mut work = lock(&self.work);
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        self.send(&mut work);
        let copy = self.raw.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.raw.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&buffer.raw, first as u64, &copy, 0, size);
        work.running.push_back(self.queue.submit([encoder.finish()]));
        copy.map_async(wgpu::MapMode::Read, .., |_| ()); // that it failed shows when it is looked at
        self.settle(&mut work, 0);
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let seen = copy.get_mapped_range(..).map_err(|error| DeviceError(format!("the GPU gives nothing back: {error}")))?;
        all.extend_from_slice(&seen[..len]);
        Ok(())
    }
}
