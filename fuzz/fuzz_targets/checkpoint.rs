//! Fuzzes `trm_fuzz::checkpoint`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trm_fuzz::bounded(trm_fuzz::checkpoint, data));
