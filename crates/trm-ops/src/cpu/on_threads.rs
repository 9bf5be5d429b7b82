//! From a dtype to a kernel that runs on the device's threads.

/// Runs a kernel on the threads of the device, with the element type `$t` of a dtype.
macro_rules! on {
    ($cpu:expr, $dtype:expr, $t:ident => $body:expr) => {
        $cpu.install(|| $crate::cpu::memory::dispatch!($dtype, $t => $body))
    };
}

/// The same with the format in which this processor multiplies the dtype.
macro_rules! in_format {
    ($cpu:expr, $dtype:expr, $f:ident => $body:expr) => {
        $cpu.install(|| $crate::cpu::panels::dispatch_format!($dtype, $f => $body))
    };
}

pub(super) use {in_format, on};
