//! A client of the admin listener's stream of server-sent events.

use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::Value;

use super::wait::PATIENCE;

/// An open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    response: Response,
    read: String,
}

impl Stream {
    pub(crate) async fn open(admin: &str, headers: &[(&str, &str)]) -> Self {
        let client = Client::builder().no_proxy().build().expect("a client");
        let mut request = client.get(format!("http://{admin}/stream"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            read: String::new(),
        }
    }

    /// The next message: its kind, its data. `None`: the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((message, rest)) = self.read.split_once("\n\n") {
                let line = |name: &str| {
                    let mut lines = message.lines();
                    let found = lines.find_map(|line| line.strip_prefix(name));
                    found.unwrap_or_else(|| panic!("no {name} in {message}"))
                };
                let data = serde_json::from_str(line("data: ")).expect("JSON");
                let next = (line("event: ").to_owned(), data);
                self.read = rest.to_owned();
                return Some(next);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk());
            let chunk = chunk.await.expect("it says something in time").ok()??;
            self.read += str::from_utf8(&chunk).expect("UTF-8");
        }
    }

    /// The next message of this kind.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let (next, data) = self.next().await.expect("it goes on");
            if next == kind {
                return data;
            }
        }
    }

    /// The entry of this outcome, and how long after the call.
    pub(crate) async fn entry(&mut self, outcome: &str) -> (Value, Duration) {
        let began = std::time::Instant::now();
        loop {
            let news = self.next_of("entries").await;
            let entries = news["entries"].as_array().expect("a list").iter();
            let mut wanted = entries.filter(|entry| entry["outcome"] == outcome);
            if let Some(entry) = wanted.next() {
                return (entry.clone(), began.elapsed());
            }
        }
    }
}
