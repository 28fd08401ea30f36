//! What the programs that measure the agent have in common.

use std::path::Path;

use anyhow::Result;
use bindery_agent::dev::{Stack, StackOptions, Tools};

/// Measures beside a private stack that keeps what it is told as a real one does, of the servers that are installed for
/// `repo`. It lies below `folder` and is stopped and removed afterwards, whatever came of the measurement.
pub async fn with_stack<T>(
    folder: &Path,
    repo: &Path,
    measure: impl AsyncFnOnce(&Stack, &Path) -> Result<T>,
) -> Result<T> {
    let tools = || Tools::find(&Tools::default_dir(repo));
    let data_dir = folder.join("stack");
    let stack = Stack::start(StackOptions { data_dir: data_dir.clone(), tools: tools()?, durable: true }).await?;
    let outcome = measure(&stack, &data_dir).await;
    stack.stop().await;
    Stack::remove(&data_dir, &tools()?).await?;
    outcome
}
