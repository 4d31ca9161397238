//! Entries of the stream.

use std::collections::HashMap;

use redis::Value;
use redis::streams::StreamId;

use crate::core::News;

/// Nodes whose last number is remembered: more than ever run at once, with those that ended lately.
const NODES_MAX: usize = 1024;

/// One entry: what a gateway tells, or only that it is there.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) node: String,
    /// How many news the node has told up to this one, with those that were lost on their way.
    pub(super) number: u64,
    /// What it tells; absent if it only says that it is there, or what this version cannot read.
    pub(super) news: Option<News>,
}

impl Entry {
    /// Reads an entry; `None` if no gateway wrote it.
    pub(super) fn read(id: &StreamId) -> Option<Self> {
        let text = |name: &str| match id.map.get(name) {
            Some(Value::BulkString(bytes)) => std::str::from_utf8(bytes).ok(),
            Some(_) | None => None,
        };
        Some(Self {
            node: text("node")?.to_owned(),
            number: text("number")?.parse().ok()?,
            news: text("news").and_then(|json| {
                let news = serde_json::from_str(json);
                news.inspect_err(|error| tracing::debug!(%error, "news that cannot be read"))
                    .ok()
            }),
        })
    }
}

/// How far each node was heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    nodes: HashMap<String, u64>,
}

/// What a node's next number says.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Order {
    /// It follows what was heard.
    Next,
    /// Some before it were missed.
    Gap,
    /// It was heard already, or only says that its node is there.
    Known,
}

impl Heard {
    /// Takes a node's next number.
    pub(super) fn take(&mut self, entry: &Entry) -> Order {
        if self.nodes.len() >= NODES_MAX && !self.nodes.contains_key(&entry.node) {
            self.nodes.clear();
        }
        let Some(heard) = self.nodes.get_mut(&entry.node) else {
            // What it told before was looked for when we began.
            self.nodes.insert(entry.node.clone(), entry.number);
            return Order::Next;
        };
        let before = std::mem::replace(heard, entry.number.max(*heard));
        match entry.number.checked_sub(before) {
            None | Some(0) => Order::Known,
            Some(1) if entry.news.is_some() => Order::Next,
            Some(_) => Order::Gap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(node: &str, number: u64, is_news: bool) -> Entry {
        let user_id = "u".parse().unwrap();
        Entry {
            node: node.to_owned(),
            number,
            news: is_news.then_some(News::Presence { user_id }),
        }
    }

    #[test]
    fn what_a_node_told_and_was_not_heard_is_noticed() {
        let mut heard = Heard::default();
        for (node, number, is_news, order) in [
            ("a", 7, true, Order::Next),
            ("b", 1, true, Order::Next),
            ("a", 8, true, Order::Next),
            ("a", 8, true, Order::Known),
            ("a", 8, false, Order::Known),
            ("a", 10, true, Order::Gap),
            ("a", 10, false, Order::Known),
            ("b", 2, false, Order::Gap),
            ("b", 2, true, Order::Known),
            ("b", 3, true, Order::Next),
        ] {
            assert_eq!(
                heard.take(&entry(node, number, is_news)),
                order,
                "{node} {number}"
            );
        }
    }
}
