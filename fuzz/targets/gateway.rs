//! Lets a fuzzer choose what happens to a gateway.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::gateway::run(data));
