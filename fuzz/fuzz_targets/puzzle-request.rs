//! Fuzzes `trm_fuzz::puzzle_request`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trm_fuzz::bounded(trm_fuzz::puzzle_request, data));
