//! The two agents: started, killed, frozen, and what they wrote.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, Result};
use bindery_agent::config::Config;

use super::operation::Who;
use crate::program::{Agent, signal};

/// Where an agent listens.
#[derive(Debug, Clone)]
pub struct Address {
    /// Base URL of the admin listener.
    pub admin: String,
    /// Base URL of the internal listener.
    pub internal: String,
    /// Base URL of the ops listener.
    pub ops: String,
}

/// Where the agents that run listen, for tasks that outlive a restart of them.
#[derive(Debug, Clone, Default)]
pub struct Addresses(Arc<RwLock<[Option<Address>; 2]>>);

impl Addresses {
    /// That of an agent; none while it does not run.
    pub fn of(&self, who: Who) -> Option<Address> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)[who as usize].clone()
    }

    fn set(&self, who: Who, address: Option<Address>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner)[who as usize] = address;
    }
}

#[derive(Debug)]
struct Member {
    who: Who,
    config: Config,
    running: Option<Agent>,
    frozen: bool,
    /// What earlier lives of it wrote.
    archive: PathBuf,
}

/// Both agents.
#[derive(Debug)]
pub struct Fleet {
    members: [Member; 2],
    /// Where they listen.
    pub addresses: Addresses,
}

impl Fleet {
    /// Two agents that differ in their folders only; none runs yet.
    pub fn new(config: &Config, dir: &Path, logs: &Path) -> Self {
        let member = |who: Who, name: &str| Member {
            who,
            config: Config { data_dir: dir.join(name).join("agent"), ..config.clone() },
            running: None,
            frozen: false,
            archive: logs.join(format!("agent-{name}.log")),
        };
        Self { members: [member(Who::A, "a"), member(Who::B, "b")], addresses: Addresses::default() }
    }

    fn member(&mut self, who: Who) -> &mut Member {
        &mut self.members[who as usize]
    }

    /// Starts an agent unless it runs; stores that are away are its own business.
    pub async fn start(&mut self, who: Who) -> bool {
        if self.member(who).running.is_some() {
            return false;
        }
        let agent = Agent::start(&self.member(who).config).await;
        let (admin, internal, ops) = (agent.admin.clone(), agent.internal.clone(), agent.ops.clone());
        self.addresses.set(who, Some(Address { admin, internal, ops }));
        let member = self.member(who);
        (member.running, member.frozen) = (Some(agent), false);
        true
    }

    /// Kills an agent with SIGKILL.
    pub fn kill(&mut self, who: Who) -> Result<bool> {
        self.addresses.set(who, None);
        let Some(mut agent) = self.member(who).running.take() else { return Ok(false) };
        agent.program.kill();
        self.member(who).keep(&agent.program.written())?;
        Ok(true)
    }

    /// Stops an agent where it is.
    pub fn freeze(&mut self, who: Who) -> bool {
        let member = self.member(who);
        let Some(agent) = member.running.as_ref().filter(|_| !member.frozen) else { return false };
        signal("STOP", &agent.program.id().to_string());
        member.frozen = true;
        true
    }

    /// Lets it go on.
    pub fn thaw(&mut self, who: Who) -> bool {
        let member = self.member(who);
        let Some(agent) = member.running.as_ref().filter(|_| member.frozen) else { return false };
        signal("CONT", &agent.program.id().to_string());
        member.frozen = false;
        true
    }

    /// Whether it runs and is not stopped.
    pub fn is_up(&self, who: Who) -> bool {
        let member = &self.members[who as usize];
        member.running.is_some() && !member.frozen
    }

    /// The name it has in `ops.leases`.
    pub fn holder(&self, who: Who) -> Option<String> {
        let file = self.members[who as usize].config.data_dir.join("agent-id");
        std::fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
    }

    /// Agents that ended without having been killed, with the end of what they said.
    pub fn ended(&mut self) -> Vec<String> {
        let mut ended = Vec::new();
        for member in &mut self.members {
            if let Some(agent) = member.running.as_mut()
                && agent.program.has_ended()
            {
                let written = agent.program.written();
                let last: Vec<&str> = written.lines().rev().take(5).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                ended.push(format!("agent {:?} ended by itself:\n{}", member.who, last.join("\n")));
            }
        }
        ended
    }

    /// All that both have written so far, by agent.
    pub fn written(&self) -> Result<Vec<(String, String)>> {
        let mut texts = Vec::new();
        for member in &self.members {
            let mut text = std::fs::read_to_string(&member.archive).unwrap_or_default();
            if let Some(agent) = &member.running {
                text.push_str(&agent.program.written());
            }
            texts.push((format!("agent {:?}", member.who), text));
        }
        Ok(texts)
    }

    /// The agents' clones of the repository.
    pub fn clones(&self) -> Vec<PathBuf> {
        let clones = self.members.iter().map(|member| member.config.data_dir.join("repository.git"));
        clones.filter(|path| path.is_dir()).collect()
    }
}

impl Member {
    fn keep(&self, text: &str) -> Result<()> {
        let failed = || format!("cannot write {}", self.archive.display());
        let mut file = File::options().create(true).append(true).open(&self.archive).with_context(failed)?;
        file.write_all(text.as_bytes()).with_context(failed)
    }
}

impl Drop for Fleet {
    /// What the last lives wrote is kept too.
    fn drop(&mut self) {
        for who in [Who::A, Who::B] {
            let _ = self.kill(who);
        }
    }
}
