//! Locks that a killed process left in the clone: git takes one for as long as it writes a small file, and never gives it up
//! for whoever died meanwhile.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

/// Age from which a lock is nobody's any more. It is held for the time of one small write.
const STALE: Duration = Duration::from_secs(10);

/// Removes the stale locks of references and of the files beside them; whether there was one.
pub(super) fn free(clone: &Path) -> bool {
    let mut freed = false;
    let mut folders = vec![clone.to_path_buf()];
    while let Some(folder) = folders.pop() {
        // The objects are written without locks, and they are many.
        let entries =
            fs::read_dir(&folder).into_iter().flatten().flatten().filter(|entry| entry.file_name() != "objects");
        for path in entries.map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some(OsStr::new("lock")) && is_stale(&path).unwrap_or(false) {
                match fs::remove_file(&path) {
                    Ok(()) => {
                        tracing::warn!(lock = %path.display(), "removed a lock that a killed process left in the clone");
                        freed = true;
                    }
                    Err(error) => tracing::warn!(%error, lock = %path.display(), "a stale lock cannot be removed"),
                }
            }
        }
    }
    freed
}

fn is_stale(lock: &Path) -> io::Result<bool> {
    // One from the future is as good as fresh.
    Ok(fs::metadata(lock)?.modified()?.elapsed().is_ok_and(|age| age > STALE))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_is_fresh_or_no_lock_stays() {
        let clone = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - 2 * STALE;
        fs::create_dir_all(clone.path().join("refs/bindery")).unwrap();
        fs::create_dir_all(clone.path().join("objects")).unwrap();
        for (file, is_old) in [
            ("FETCH_HEAD.lock", true),
            ("refs/bindery/tip.lock", true),
            ("refs/bindery/tip", true),
            ("refs/bindery/other.lock", false),
            ("objects/kept.lock", true),
        ] {
            let file = File::create(clone.path().join(file)).unwrap();
            if is_old {
                file.set_modified(old).unwrap();
            }
        }
        assert!(free(clone.path()) && !free(clone.path()));
        let left = |file: &str| clone.path().join(file).exists();
        assert!(!left("FETCH_HEAD.lock") && !left("refs/bindery/tip.lock"));
        assert!(left("refs/bindery/tip") && left("refs/bindery/other.lock") && left("objects/kept.lock"));
    }
}
