//! What this processor can do, and the cap that `TRM_CPU` puts on it.

use std::fmt;
use std::sync::OnceLock;

/// Instruction sets that kernels are written for; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CpuLevel {
    /// Products by the `gemm-f32` crate, whatever that and the compiler find.
    Portable,
    /// AVX2 and FMA: 256-bit vectors.
    Avx2,
    /// AVX-512F: 512-bit vectors.
    Avx512,
    /// AVX-512-BF16: products of pairs of bf16.
    Avx512Bf16,
}

impl CpuLevel {
    const ALL: [(CpuLevel, &str); 4] = [
        (CpuLevel::Portable, "portable"),
        (CpuLevel::Avx2, "avx2"),
        (CpuLevel::Avx512, "avx512"),
        (CpuLevel::Avx512Bf16, "avx512bf16"),
    ];

    /// The most that this machine has.
    pub fn of_machine() -> CpuLevel {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2 && is_x86_feature_detected!("avx512f");
            if avx512 && is_x86_feature_detected!("avx512bf16") {
                return CpuLevel::Avx512Bf16;
            }
            if avx512 {
                return CpuLevel::Avx512;
            }
            if avx2 {
                return CpuLevel::Avx2;
            }
        }
        CpuLevel::Portable
    }

    /// Names of the instruction sets, as processors list them.
    pub fn features(self) -> &'static [&'static str] {
        let all = &["avx2", "fma", "avx512f", "avx512bf16"];
        match self {
            CpuLevel::Portable => &[],
            CpuLevel::Avx2 => &all[..2],
            CpuLevel::Avx512 => &all[..3],
            CpuLevel::Avx512Bf16 => all,
        }
    }

    /// Whether bf16 is multiplied as it is.
    pub fn multiplies_bf16(self) -> bool {
        self == CpuLevel::Avx512Bf16
    }
}

impl fmt::Display for CpuLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = CpuLevel::ALL.iter().find(|(level, _)| level == self).map(|(_, name)| *name);
        f.write_str(name.expect("all are listed"))
    }
}

/// A cap that cannot be kept to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuCap(String);

impl fmt::Display for CpuCap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CpuCap {}

/// The level that the variable `TRM_CPU` asks for, or all that the machine has.
///
/// # Errors
/// If the name is unknown or the machine has less.
fn capped(name: Option<&str>, machine: CpuLevel) -> Result<CpuLevel, CpuCap> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(machine) };
    match CpuLevel::ALL.iter().find(|(_, known)| *known == name) {
        Some((level, _)) if *level <= machine => Ok(*level),
        Some(_) => Err(CpuCap(format!("TRM_CPU=`{name}`: this machine has {machine} at most"))),
        None => {
            Err(CpuCap(format!("TRM_CPU=`{name}`: must be portable, avx2, avx512 or avx512bf16")))
        }
    }
}

/// The level that the environment asks for.
///
/// # Errors
/// If the name is unknown or the machine has less.
pub fn checked_level() -> Result<CpuLevel, CpuCap> {
    capped(std::env::var("TRM_CPU").ok().as_deref(), CpuLevel::of_machine())
}

/// The level in use: the cap of `TRM_CPU`, or all that the machine has. Also that where the cap cannot be kept to:
/// programs refuse it at their start by [`checked_level`].
pub fn level() -> CpuLevel {
    static LEVEL: OnceLock<CpuLevel> = OnceLock::new();
    *LEVEL.get_or_init(|| checked_level().unwrap_or_else(|_| CpuLevel::of_machine()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_kept_to_or_refused() {
        let machine = CpuLevel::Avx512;
        assert_eq!(capped(None, machine), Ok(machine));
        assert_eq!(capped(Some(""), machine), Ok(machine));
        assert_eq!(capped(Some("avx2"), machine), Ok(CpuLevel::Avx2));
        let message = |name| capped(Some(name), machine).unwrap_err().to_string();
        assert_eq!(message("avx512bf16"), "TRM_CPU=`avx512bf16`: this machine has avx512 at most");
        assert!(message("sse").contains("must be portable"));
    }
}
