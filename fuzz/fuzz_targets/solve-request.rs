//! Fuzzes `trm_fuzz::solve_request`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trm_fuzz::bounded(trm_fuzz::solve_request, data));
