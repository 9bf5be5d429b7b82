//! Fuzzes `trm_fuzz::maze`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trm_fuzz::bounded(trm_fuzz::maze, data));
