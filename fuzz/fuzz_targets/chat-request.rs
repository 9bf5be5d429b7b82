//! Fuzzes `trm_fuzz::chat_request`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trm_fuzz::bounded(trm_fuzz::chat_request, data));
