use std::fmt;

/// The number formats that tensors are stored in. Sums are always taken in f32 or wider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE single precision: the portable path and the oracle of parity.
    F32,
    /// bfloat16: the upper half of an f32, rounded to nearest even.
    Bf16,
    /// IEEE half precision; not on the CPU.
    F16,
}

impl DType {
    /// Size of one element in bytes.
    pub fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::Bf16 | DType::F16 => 2,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::Bf16 => "bf16",
            DType::F16 => "f16",
        })
    }
}
