//! Lets a fuzzer choose what an issuer answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::key_set::run(data));
