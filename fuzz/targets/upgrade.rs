//! Lets a fuzzer choose what arrives at the gateway's port.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::upgrade::run(data));
