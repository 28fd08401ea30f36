//! Settings of libgit2 that hold for the whole process: how long a server may be silent, and whom HTTPS trusts.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

static SETTLED: Mutex<Option<(Duration, Option<PathBuf>)>> = Mutex::new(None);

/// Has every connection from now on end after such a silence, and trust a further file of certificates. Without this
/// libgit2 waits for ever.
#[expect(
    unsafe_code,
    reason = "libgit2 keeps these in plain globals; they are written under a lock, once, before anything connects"
)]
pub(super) fn settle(silence: Duration, ca: Option<&Path>) -> Result<(), git2::Error> {
    let wanted = (silence, ca.map(Path::to_owned));
    let mut settled = SETTLED.lock().unwrap_or_else(PoisonError::into_inner);
    if settled.as_ref() == Some(&wanted) {
        return Ok(());
    }
    let millis = i32::try_from(silence.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: no connection is made yet by this process, so nobody reads the globals meanwhile.
    unsafe {
        git2::opts::set_server_connect_timeout_in_milliseconds(millis)?;
        git2::opts::set_server_timeout_in_milliseconds(millis)?;
        if let Some(ca) = ca {
            git2::opts::set_ssl_cert_file(ca)?;
        }
    }
    *settled = Some(wanted);
    Ok(())
}
