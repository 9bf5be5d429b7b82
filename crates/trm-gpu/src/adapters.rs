//! Which GPUs a machine has.

use std::fmt;
use trm_ops::DeviceError;

/// A GPU, or a driver that computes on the processor and says that it is one.
pub struct Adapter {
    pub(crate) raw: wgpu::Adapter,
    info: wgpu::AdapterInfo,
}

/// What a device needs besides the operations of WGSL: numbers that come with a launch.
const NEEDED: wgpu::Features = wgpu::Features::IMMEDIATES;

impl Adapter {
    /// All of this machine, those with memory of their own first, software last, otherwise in the order of their
    /// drivers: the order of `gpu:N`.
    ///
    /// ```
    /// for gpu in trm_gpu::Adapter::all() {
    ///     println!("{gpu}: {} GiB at most in one buffer", gpu.buffer_limit() >> 30);
    /// }
    /// ```
    pub fn all() -> Vec<Adapter> {
        let backends = wgpu::Backends::PRIMARY;
        // no debug information: validation layers older than WGSL's number among source languages refuse it
        let flags =
            wgpu::InstanceFlags::default().difference(wgpu::InstanceFlags::DEBUG).with_env();
        let none = wgpu::InstanceDescriptor::new_without_display_handle();
        let settings = wgpu::InstanceDescriptor { backends, flags, ..none };
        let found = pollster::block_on(wgpu::Instance::new(settings).enumerate_adapters(backends));
        let with_info = |raw: wgpu::Adapter| Adapter { info: raw.get_info(), raw };
        let fits = |adapter: &Adapter| adapter.raw.features().contains(NEEDED);
        let mut all: Vec<Adapter> = found.into_iter().map(with_info).filter(fits).collect();
        all.sort_by_key(|adapter| (adapter.is_software(), !adapter.is_discrete()));
        all
    }

    /// The GPU of this number.
    ///
    /// # Errors
    /// If there is none.
    pub fn number(index: usize) -> Result<Adapter, DeviceError> {
        let mut all = Adapter::all();
        let message = match all.len() {
            0 => "no GPU that trm can use was found: a driver for Vulkan, Metal or DX12 is missing"
                .to_owned(),
            1 => format!("there is one GPU, gpu:0; there is no gpu:{index}"),
            n => format!("there are {n} GPUs, gpu:0 to gpu:{}; there is no gpu:{index}", n - 1),
        };
        if index < all.len() { Ok(all.swap_remove(index)) } else { Err(DeviceError(message)) }
    }

    /// Its name and interface, such as `NVIDIA H200 (vulkan)`.
    pub fn name(&self) -> String {
        format!("{} ({})", self.info.name, self.info.backend)
    }

    /// Its name, place in the machine and version of the driver: what its bits depend on, and what finds it again.
    pub(crate) fn identity(&self) -> String {
        let parts = [&self.info.driver_info, &self.info.device_pci_bus_id];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.fold(self.name(), |name, part| format!("{name}, {part}"))
    }

    /// Whether it computes on the processor.
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Whether it has memory of its own.
    pub fn is_discrete(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::DiscreteGpu
    }

    /// Whether it stores and loads half-precision numbers.
    pub fn has_f16(&self) -> bool {
        self.raw.features().contains(wgpu::Features::SHADER_F16)
    }

    /// The most bytes that an operation can see at once; larger tensors are taken piece by piece.
    pub fn binding_limit(&self) -> u64 {
        self.raw.limits().max_storage_buffer_binding_size
    }

    /// The most bytes that a tensor can have.
    pub fn buffer_limit(&self) -> u64 {
        self.raw.limits().max_buffer_size
    }

    /// Bytes that the threads of a group share.
    pub fn shared_limit(&self) -> u32 {
        self.raw.limits().max_compute_workgroup_storage_size
    }

    /// The most threads that a group can have.
    pub fn group_limit(&self) -> u32 {
        self.raw.limits().max_compute_invocations_per_workgroup
    }

    pub(crate) fn open(&self) -> Result<(wgpu::Device, wgpu::Queue), DeviceError> {
        let wanted = wgpu::DeviceDescriptor {
            label: Some("trm"),
            required_features: NEEDED | (self.raw.features() & wgpu::Features::SHADER_F16),
            required_limits: self.raw.limits(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        };
        pollster::block_on(self.raw.request_device(&wanted))
            .map_err(|error| DeviceError(format!("{} does not start: {error}", self.name())))
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
