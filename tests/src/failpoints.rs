//! Where a program that a test starts ends or stops: see `bindery_agent::failpoint`.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bindery_agent::config::Config;
use bindery_agent::failpoint::Point;

use crate::program::Agent;
use crate::world::eventually;

/// The file that a program with this folder of its own looks into.
pub(crate) fn file_in(dir: &Path) -> PathBuf {
    dir.join("failpoint")
}

/// The fail points of one agent, over all its processes.
#[derive(Debug, Clone)]
pub struct Failpoints(PathBuf);

impl Failpoints {
    /// Those of the agent with a configuration, whether it runs or not.
    pub fn of(config: &Config) -> Self {
        let dir = Agent::dir(config);
        fs::create_dir_all(&dir).unwrap();
        Self(file_in(&dir))
    }

    /// Has it end at these places, at each once.
    pub fn abort_at(&self, points: &[Point]) {
        self.write(points, "abort");
    }

    /// Has it stop at a place.
    pub fn stop_at(&self, point: Point) {
        self.write(&[point], "stop");
    }

    /// Takes back what has not happened yet.
    pub fn disarm(&self) {
        self.write(&[], "");
    }

    fn write(&self, points: &[Point], act: &str) {
        let lines: Vec<String> = points.iter().map(|point| format!("{} {act}", point.name())).collect();
        let draft = self.0.with_extension("draft");
        fs::write(&draft, lines.join("\n")).unwrap();
        fs::rename(draft, &self.0).unwrap();
    }

    /// The places where it has ended or stopped, by name.
    pub fn fired(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.0.with_extension("fired")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The same, and forgets them.
    pub fn take_fired(&self) -> BTreeSet<String> {
        let fired = self.fired();
        let _ = fs::remove_file(self.0.with_extension("fired"));
        fired
    }

    /// Waits until the process stands still at a place.
    pub async fn stopped(&self, point: Point, process: u32) {
        let stat = PathBuf::from(format!("/proc/{process}/stat"));
        eventually(point.name(), async || {
            let stands = fs::read_to_string(&stat).is_ok_and(|stat| {
                // After the program's name in parentheses; `T` is stopped.
                stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
            });
            stands && self.fired().contains(point.name())
        })
        .await;
    }
}
