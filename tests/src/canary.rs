//! The search for passwords where none may be.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::path::Path;

use git2::{ObjectType, Repository};

use crate::outside::Outside;

/// Texts by where they were found.
#[derive(Debug, Default)]
pub struct Texts(Vec<(String, String)>);

impl Texts {
    /// Adds a text.
    pub fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    /// Adds all rows of Postgres, all keys of Redis with their values, and all messages of the stream.
    pub async fn add_stores(&mut self, outside: &Outside) {
        for (table, rows) in outside.tables().await {
            self.add(format!("postgres {table}"), rows);
        }
        for (key, value) in outside.cache("").await {
            self.add(format!("redis {key}"), format!("{key} {value}"));
        }
        for event in outside.events().await {
            self.add("nats", event.to_string());
        }
    }

    /// Adds all objects of a repository, reachable or not.
    pub fn add_repository(&mut self, path: &Path) {
        let repository = Repository::open(path).unwrap();
        let objects = repository.odb().unwrap();
        let mut ids = Vec::new();
        objects
            .foreach(|id| {
                ids.push(*id);
                true
            })
            .unwrap();
        for id in ids {
            let object = objects.read(id).unwrap();
            if matches!(object.kind(), ObjectType::Blob | ObjectType::Commit | ObjectType::Tag) {
                self.add(format!("git {id} in {}", path.display()), String::from_utf8_lossy(object.data()));
            }
        }
    }

    /// The places whose name begins so and that hold a text: shows that a search would find it.
    pub fn places(&self, beginning: &str, text: &str) -> usize {
        self.0.iter().filter(|(place, all)| place.starts_with(beginning) && all.contains(text)).count()
    }

    /// The places whose text is as asked for.
    pub fn that(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<&str> {
        self.0.iter().filter(|(_, text)| is_wanted(text)).map(|(place, _)| place.as_str()).collect()
    }

    /// The places that hold any of the words.
    pub fn that_hold<'a>(&'a self, words: &[String]) -> Vec<&'a str> {
        self.that(|text| words.iter().any(|word| text.contains(word.as_str())))
    }
}
