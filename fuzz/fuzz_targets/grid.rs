//! Fuzzes `trm_fuzz::grid`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trm_fuzz::bounded(trm_fuzz::grid, data));
