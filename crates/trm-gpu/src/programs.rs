//! Programs: WGSL text, the constants that make a variant of it, and the pipelines of those that were used.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use trm_ops::DType;

/// One file of WGSL, the same as any of its name.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) name: &'static str,
    text: &'static str,
}

impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        self.name == other.name
    }
}

impl Eq for Source {}

impl Hash for Source {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

macro_rules! sources {
    ($($name:ident)*) => {
        $(pub(crate) const $name: Source = Source {
            name: stringify!($name),
            text: include_str!(concat!("wgsl/", stringify!($name), ".wgsl")),
        };)*
    };
}

#[allow(non_upper_case_globals)] // they are called as their files
pub(crate) mod source {
    use super::Source;
    sources! {
        attention attention_backward elementwise embed gates heads lines losses neighbours norm peak product reduce
        rows units updates
    }
}

const COMMON: &str = include_str!("wgsl/common.wgsl");

/// How a program sees a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A variant of a program: an entry point, a number format and named constants.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub(crate) source: Source,
    pub(crate) entry: &'static str,
    pub(crate) stored: DType,
    /// The format of what a product stores, where that is another one.
    pub(crate) out: DType,
    pub(crate) constants: Vec<(&'static str, u32)>,
}

impl Program {
    pub(crate) fn new(source: Source, entry: &'static str, stored: DType) -> Program {
        Program { source, entry, stored, out: stored, constants: Vec::new() }
    }

    /// Of what it is a variant.
    pub(crate) fn name(&self) -> String {
        let follow = self.constants.iter().find(|(name, _)| *name == "FOLLOW");
        let more = follow.map_or("", |(_, how)| {
            ["", " + bias", " + gate", " + token gate", " + norm", " + token norm"][*how as usize]
        });
        format!("{}: {}{more}", self.source.name, self.entry)
    }

    pub(crate) fn with(mut self, name: &'static str, value: usize) -> Program {
        self.constants.push((name, value as u32));
        self
    }

    pub(crate) fn storing(self, out: DType) -> Program {
        Program { out, ..self }
    }

    /// The whole text: number formats, constants, what all share, the file.
    pub(crate) fn text(&self, mutant: Option<Mutant>) -> String {
        let name = |dtype| if dtype == DType::F32 { "f32" } else { "f16" };
        let enable =
            if self.stored == DType::F32 && self.out == DType::F32 { "" } else { "enable f16;\n" };
        let stored =
            format!("{enable}alias S = {};\nalias O = {};\n", name(self.stored), name(self.out));
        let constants =
            self.constants.iter().map(|(name, value)| format!("const {name} = {value}u;\n"));
        let mut file = self.source.text.to_owned();
        if let Some(mutant) = mutant.filter(|mutant| mutant.file == self.source.name) {
            assert_eq!(file.matches(mutant.right).count(), 1, "{mutant:?}");
            file = file.replace(mutant.right, mutant.wrong);
        }
        [stored, constants.collect(), COMMON.to_owned(), file].concat()
    }
}

/// A fault put into a program: a text in the place of another one in its file.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The file in `wgsl/`, without its ending.
    pub file: &'static str,
    /// What stands there, once.
    pub right: &'static str,
    /// What is put in its place.
    pub wrong: &'static str,
}

/// What was compiled.
pub(crate) struct Programs {
    device: wgpu::Device,
    mutant: Option<Mutant>,
    pipelines: Mutex<HashMap<Program, wgpu::ComputePipeline>>,
    layouts: Mutex<HashMap<Vec<Access>, (wgpu::BindGroupLayout, wgpu::PipelineLayout)>>,
}

/// Bytes that come with a launch: what every device of Vulkan has.
pub(crate) const IMMEDIATE_BYTES: u32 = 128;

impl Programs {
    pub(crate) fn new(device: &wgpu::Device, mutant: Option<Mutant>) -> Programs {
        Programs {
            device: device.clone(),
            mutant,
            pipelines: Mutex::default(),
            layouts: Mutex::default(),
        }
    }

    /// The compiled program and the layout of what it is bound to.
    pub(crate) fn get(
        &self,
        program: &Program,
        accesses: &[Access],
    ) -> (wgpu::ComputePipeline, wgpu::BindGroupLayout) {
        let (bound, layout) = self.layout(accesses);
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = pipelines.get(program) {
            return (pipeline.clone(), bound);
        }
        let name = program.name();
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(&name),
            source: wgpu::ShaderSource::Wgsl(program.text(self.mutant).into()),
        });
        let options = wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        };
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&name),
            layout: Some(&layout),
            module: &module,
            entry_point: Some(program.entry),
            compilation_options: options,
            cache: None,
        });
        pipelines.insert(program.clone(), pipeline.clone());
        (pipeline, bound)
    }

    fn layout(&self, accesses: &[Access]) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
        let mut layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = layouts.entry(accesses.to_vec()).or_insert_with(|| {
            let entry = |(binding, access): (u32, &Access)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: *access == Access::Read },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            };
            let entries: Vec<_> = (0..).zip(accesses).map(entry).collect();
            let bound = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
            let bound = self.device.create_bind_group_layout(&bound);
            let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &[Some(&bound)],
                immediate_size: IMMEDIATE_BYTES,
            });
            (bound, layout)
        });
        known.clone()
    }
}
