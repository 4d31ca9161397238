//! Lets a fuzzer choose what a client sends.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::client_frame::run(data));
