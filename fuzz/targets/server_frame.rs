//! Lets a fuzzer choose what a gateway sends.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::server_frame::run(data));
