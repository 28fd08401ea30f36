//! Private stacks for tests: one that all tests of a process share, and further ones for tests that kill servers.
//!
//! Everything lies below `tmp` in cargo's target folder. What an earlier run left there is removed first; servers do
//! not outlive the process that started them.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bindery_agent::dev::{Stack, StackOptions, Tools};
use tokio::sync::OnceCell;
use tracing_subscriber::EnvFilter;

static SHARED: OnceCell<Stack> = OnceCell::const_new();
static OWN: AtomicU32 = AtomicU32::new(0);

/// A stack's servers as one test sees them.
#[derive(Debug)]
pub enum Servers {
    /// Those that all tests share. They are never killed.
    Shared(&'static Stack),
    /// Those of one test, which may kill them.
    Own(Box<Stack>),
}

impl Servers {
    /// The stack that all tests share, started by the first that asks.
    pub async fn shared() -> Self {
        Self::Shared(SHARED.get_or_init(|| start("stack".to_owned())).await)
    }

    /// A stack of one's own.
    pub async fn own() -> Self {
        Self::named(&format!("stack-{}", OWN.fetch_add(1, Ordering::Relaxed))).await
    }

    /// The same in a folder by a name, beside which other processes may have theirs.
    pub async fn named(name: &str) -> Self {
        Self::Own(Box::new(start(name.to_owned()).await))
    }
}

impl std::ops::Deref for Servers {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        match self {
            Self::Shared(stack) => stack,
            Self::Own(stack) => stack,
        }
    }
}

async fn start(name: String) -> Stack {
    // Shown where a test fails; the first test of the process sets it up for all.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("bindery_agent=info,warn"));
    let _ = tracing_subscriber::fmt().with_test_writer().with_env_filter(filter).try_init();
    let data_dir = scratch(&name);
    remove(&data_dir).await;
    Stack::start(StackOptions { data_dir, tools: tools(), durable: false }).await.unwrap()
}

/// Removes what a stack kept in a folder, and elsewhere for it.
pub async fn remove(data_dir: &Path) {
    Stack::remove(data_dir, &tools()).await.unwrap();
}

/// The servers' programs.
pub fn tools() -> Tools {
    Tools::find(&Tools::default_dir(&workspace())).unwrap()
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Where cargo put the programs of the profile that this process was built with.
pub fn programs() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let dir = exe.parent().unwrap();
    // Test binaries lie one folder deeper than programs.
    if dir.ends_with("deps") { dir.parent().unwrap().to_owned() } else { dir.to_owned() }
}

/// A folder for tests in cargo's target folder; users that run servers can reach it, unlike a temporary folder.
pub fn scratch(name: &str) -> PathBuf {
    programs().parent().unwrap().join("tmp").join(name)
}
