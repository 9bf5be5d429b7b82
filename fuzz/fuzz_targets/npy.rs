//! Fuzzes `trm_fuzz::npy`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trm_fuzz::bounded(trm_fuzz::npy, data));
