//! The stream of a client that cannot open a socket.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Gateway, Http, PATIENCE};

/// An open stream.
pub struct Events {
    pub lines: BufReader<TcpStream>,
    /// Comments so far.
    pub comments: usize,
}

impl Gateway {
    /// Opens a stream that is subscribed to threads from their beginning.
    pub async fn stream(&self, user: &str, threads: &[&str]) -> Events {
        let resume: Vec<_> = threads.iter().map(|id| json!({"thread_id": id})).collect();
        let body = json!({"type": "hello", "protocol_version": 1, "resume": resume}).to_string();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST /v1/stream HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer dev:{user}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Events::read(stream).await
    }

    /// Posts one frame; returns the answer and its frames.
    pub async fn post(&self, user: &str, frame: &str) -> (Http, Vec<Value>) {
        let token = format!("dev:{user}");
        let what = "POST /v1/frames?epoch=e1";
        let answer = self.ask(what, Some(&token), "", frame).await;
        let lines = answer.text.lines();
        let frames = lines.map(|line| serde_json::from_str(line).unwrap());
        let frames = frames.collect();
        (answer, frames)
    }
}

impl Events {
    /// Reads the answer to a request for a stream, which is welcomed.
    pub async fn read(stream: TcpStream) -> Self {
        let mut events = Self {
            lines: BufReader::new(stream),
            comments: 0,
        };
        let head = events.line().await.unwrap();
        assert_eq!(head, "HTTP/1.1 200 OK");
        assert_eq!(events.hear().await.unwrap()["type"], "welcome");
        events
    }

    /// Returns the next line; `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let reading = self.lines.read_line(&mut line);
        let read = tokio::time::timeout(PATIENCE, reading).await;
        match read.expect("a line in time") {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    /// Returns the next frame; `None` at the end of the stream. Between events stand the lengths of
    /// chunks, which are no lines of ours.
    pub async fn hear(&mut self) -> Option<Value> {
        while let Some(line) = self.line().await {
            self.comments += usize::from(line.starts_with(':'));
            if let Some(frame) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(frame).unwrap());
            }
            if line == "0" {
                break;
            }
        }
        None
    }

    /// Returns the next frame of a type; what comes before is skipped.
    pub async fn hear_of(&mut self, frame_type: &str) -> Value {
        loop {
            let frame = self.hear().await.expect("a frame, not an end");
            if frame["type"] == frame_type {
                return frame;
            }
        }
    }
}
