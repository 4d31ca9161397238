//! What `deploy/compose.yaml` tells a gateway.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    missing_docs
)]

use saphyr::{LoadableYamlNode, Yaml};

pub const TEXT: &str = include_str!("../../../deploy/compose.yaml");

pub fn read() -> Yaml<'static> {
    let mut documents = Yaml::load_from_str(TEXT).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// Returns the environment of a service, its variables exchanged for what `variable` says.
pub fn environment(service: &str, variable: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let file = read();
    let environment = file["services"][service]["environment"].as_mapping();
    let pairs = environment.unwrap().iter().map(|(name, value)| {
        let value = interpolated(value.as_str().unwrap(), &variable);
        (name.as_str().unwrap().to_owned(), value)
    });
    pairs.collect()
}

/// Returns the arguments of a service.
pub fn command(service: &str) -> Vec<String> {
    let file = read();
    let words = file["services"][service]["command"].as_sequence();
    let words = words
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().to_owned());
    words.collect()
}

/// Exchanges `${NAME}` and `${NAME:?what is missing}`.
fn interpolated(text: &str, variable: &impl Fn(&str) -> String) -> String {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap().to_owned();
    for part in parts {
        let (inside, rest) = part.split_once('}').unwrap();
        let name = inside.split_once(":?").map_or(inside, |(name, _)| name);
        whole += &variable(name);
        whole += rest;
    }
    whole
}
