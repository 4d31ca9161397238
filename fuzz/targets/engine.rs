//! Lets a fuzzer choose what happens to a client.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::engine::run(data));
