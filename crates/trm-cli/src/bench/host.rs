use serde::Serialize;
use std::fmt;

/// The machine that numbers were taken on.
#[derive(Serialize)]
pub(super) struct Host {
    processor: String,
    cores: usize,
    /// Instructions that the products can make use of.
    features: Vec<&'static str>,
    trm: &'static str,
}

impl Host {
    /// The machine that this runs on.
    pub(super) fn this() -> Host {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.map(|m| m.trim_start_matches([' ', '\t', ':']));
        Host {
            processor: model.unwrap_or(std::env::consts::ARCH).into(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            features: features(),
            trm: env!("CARGO_PKG_VERSION"),
        }
    }

    /// What fits above a chart.
    pub(super) fn short_name(&self) -> String {
        format!("{}, {} cores", self.processor, self.cores)
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let all = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
    ];
    all.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}; trm {}", self.short_name(), self.features.join(" "), self.trm)
    }
}
